"""The statements of instruments and of the loads of their lists."""
