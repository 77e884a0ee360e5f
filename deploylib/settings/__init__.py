"""The settings of an environment: values that containers get as variables, kept in Parameter Store."""
