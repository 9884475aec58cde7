"""The reviewers: each takes what was found and returns decisions; none can delete.

``session`` holds the decisions and their rules; the window, the terminal and the contact
sheet are three ways to show one session.
"""
