# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name               = "shop-stg"
  services           = ["web", "job"]
  log_prefix         = "/shop/stg"
  log_retention_days = 14
  container_insights = "enhanced"
}

run "a_service_that_would_share_the_shells_log_group_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services     = ["exec"]
    exec_logging = {}
  }

  expect_failures = [var.services]
}

run "names_capacity_and_keys_that_aws_does_not_know_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name               = "shop stg"
    capacity_providers = ["SPOT"]
    log_kms_key_arn    = "alias/logs"
    exec_logging       = { kms_key_arn = "alias/exec" }
  }

  expect_failures = [var.name, var.capacity_providers, var.log_kms_key_arn, var.exec_logging]
}

run "shells_kept_for_a_time_that_cloudwatch_does_not_know_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    exec_logging = { retention_days = 100 }
  }

  expect_failures = [var.exec_logging]
}

run "nonsense_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    log_prefix         = "shop/stg"
    log_retention_days = 15
    container_insights = "on"
  }

  expect_failures = [var.log_prefix, var.log_retention_days, var.container_insights]
}
