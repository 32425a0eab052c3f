"""What people see that is no table: screens of boxes and sentences, drawings."""
