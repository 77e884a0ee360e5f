# Every validation of services and scheduled tasks refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  app         = "shop"
  environment = "stg"
  account_id  = "111111111111"
  region      = "ap-northeast-1"
  database    = { engine_version = "16" }

  services = {
    web = {
      load_balancer   = { container = "nginx" }
      discovery       = { container = "app", clients = ["job", "cleanup"] }
      scaling         = { minimum = 1, maximum = 4, requests_per_task = 600 }
      deployment      = { errors_per_minute = 10 }
      capacity        = { on_demand_base = 1, spot_weight = 1 }
      execute_command = true
      permissions     = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::shop-uploads/*"] }]
      containers = {
        app   = { role = "web", port = 8000, settings = ["SECRET_KEY", "TOKEN"], secrets = { OTHER = "/elsewhere" } }
        nginx = { role = "nginx", port = 80 }
      }
    }
    job = { containers = { worker = { role = "job", environment = { WEB_PORT = "9000" } } } }
  }

  scheduled_tasks = {
    cleanup = {
      schedule   = "cron(0 3 * * ? *)"
      time_zone  = "Asia/Tokyo"
      enabled    = false
      containers = { task = { role = "job", command = ["cleanup"], database = true, settings = ["SECRET_KEY"] } }
    }
  }
}

run "a_services_name_that_does_not_fit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { Web = { containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_count_that_is_no_whole_number_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { desired_count = 1.5, containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_load_balancer_before_a_container_without_a_port_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { load_balancer = { container = "other" }, containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_database_where_none_is_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    database        = null
    services        = { web = { containers = { app = { role = "web", port = 80, database = true } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_cache_where_none_is_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { containers = { app = { role = "web", port = 80, cache = true } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_first_count_above_the_auto_scalings_maximum_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { desired_count = 5, scaling = { minimum = 1, maximum = 4, cpu_percent = 60 }, containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_setting_that_is_no_variables_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { containers = { app = { role = "web", port = 80, settings = ["SECRET-KEY"] } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_setting_that_is_a_variable_already_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { containers = { app = { role = "web", port = 80, settings = ["A"], environment = { A = "1" } } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_shell_in_a_container_that_cannot_be_written_to_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { execute_command = true, containers = { app = { role = "web", port = 80, read_only_root = true } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_name_for_a_container_without_a_port_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { discovery = { container = "other" }, containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_client_that_is_nobody_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { discovery = { container = "app", clients = ["other"] }, containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = {}
  }

  expect_failures = [var.services]
}

run "a_service_and_a_schedule_of_one_name_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services        = { web = { containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = { web = { schedule = "rate(1 day)", containers = { task = { role = "job" } } } }
  }

  expect_failures = [var.services]
}

run "a_schedules_name_that_does_not_fit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scheduled_tasks = { Cleanup = { schedule = "rate(1 day)", containers = { task = { role = "job" } } } }
  }

  expect_failures = [var.scheduled_tasks]
}

run "a_schedules_name_too_long_for_its_role_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scheduled_tasks = { a-task-with-such-a-long-name-that-no-role-could-be-called = { schedule = "rate(1 day)", containers = { task = { role = "job" } } } }
  }

  expect_failures = [var.scheduled_tasks]
}

run "a_schedules_setting_that_is_no_variables_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scheduled_tasks = { cleanup = { schedule = "rate(1 day)", containers = { task = { role = "job", settings = ["1A"] } } } }
  }

  expect_failures = [var.scheduled_tasks]
}

run "a_schedule_that_wants_a_database_where_none_is_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    database        = null
    services        = { web = { containers = { app = { role = "web", port = 80 } } } }
    scheduled_tasks = { cleanup = { schedule = "rate(1 day)", containers = { task = { role = "job", database = true } } } }
  }

  expect_failures = [var.scheduled_tasks]
}

run "a_schedule_that_wants_a_cache_where_none_is_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scheduled_tasks = { cleanup = { schedule = "rate(1 day)", containers = { task = { role = "job", cache = true } } } }
  }

  expect_failures = [var.scheduled_tasks]
}

run "an_unknown_processor_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "a_settings_key_by_alias_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    settings_key_arn = "alias/shop"
  }

  expect_failures = [var.settings_key_arn]
}
