"""The Streamlit app: shows what analytics and migrations know, decides nothing."""
