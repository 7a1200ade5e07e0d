"""The MCP face of Cutaway: a package of its own, above the core and beside the GIMP face."""
