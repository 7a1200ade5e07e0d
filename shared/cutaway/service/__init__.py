"""The Runware API served from this machine: `cutaway serve`."""
