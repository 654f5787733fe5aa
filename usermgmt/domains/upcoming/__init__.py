"""What falls due soon: windows that open and close, and jobs of ``tick``, as the domains tell it."""
