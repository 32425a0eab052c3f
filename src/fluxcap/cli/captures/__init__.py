"""Commands that write a capture made of another one."""
