"""The Runware API: its two dialects, its errors, and how a task gets there and back."""
