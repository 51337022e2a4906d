"""What people look at: grids, pages, figures."""
