"""The pages of the dashboard; Streamlit runs each file anew for every look."""
