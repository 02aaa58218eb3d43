"""Plan, check, back up, rename and rename back: everything that changes the user's database."""
