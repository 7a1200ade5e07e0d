"""The GIMP face of Cutaway: a package of its own, above the core and beside the MCP face."""
