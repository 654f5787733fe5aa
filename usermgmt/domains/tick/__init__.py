"""What has to be done when its time has come: jobs that the domains declare, each time once, started by cron."""
