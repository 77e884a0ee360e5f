# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name             = "shop-stg-cleanup"
  cluster_arn      = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  template_arn     = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-stg-cleanup-template:7"
  passed_role_arns = ["arn:aws:iam::111111111111:role/shop-stg-execution", "arn:aws:iam::111111111111:role/shop-stg-cleanup-task"]
  subnets          = ["subnet-1", "subnet-2"]
  security_group   = "sg-1"
  assign_public_ip = false
  expression       = "cron(0 3 * * ? *)"
}

run "a_name_that_does_not_fit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "Cleanup"
  }

  expect_failures = [var.name]
}

run "a_cluster_by_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    cluster_arn = "shop-stg"
  }

  expect_failures = [var.cluster_arn]
}

run "any_role_at_all_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    passed_role_arns = ["arn:aws:iam::111111111111:role/*"]
  }

  expect_failures = [var.passed_role_arns]
}

run "no_role_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    passed_role_arns = []
  }

  expect_failures = [var.passed_role_arns]
}

run "a_cron_of_five_fields_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    expression = "cron(0 3 * * *)"
  }

  expect_failures = [var.expression]
}

run "a_single_time_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    expression = "at(2030-01-01T00:00:00)"
  }

  expect_failures = [var.expression]
}

run "a_time_zone_with_a_blank_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    time_zone = "Asia Tokyo"
  }

  expect_failures = [var.time_zone]
}

run "a_window_longer_than_a_day_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    window_minutes = 1441
  }

  expect_failures = [var.window_minutes]
}

run "more_tasks_than_the_scheduler_starts_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    tasks = 11
  }

  expect_failures = [var.tasks]
}

run "retries_for_longer_than_a_day_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    retry = { seconds = 86401 }
  }

  expect_failures = [var.retry]
}

run "word_kept_for_longer_than_a_queue_can_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    undelivered_days = 15
  }

  expect_failures = [var.undelivered_days]
}
