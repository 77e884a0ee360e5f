# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name               = "shop-stg-web"
  region             = "ap-northeast-1"
  repository_url     = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
  log_group          = "/shop/stg/web"
  task_role_arn      = "arn:aws:iam::111111111111:role/shop-stg-web-task"
  execution_role_arn = "arn:aws:iam::111111111111:role/shop-stg-execution"
  vpc_id             = "vpc-1"
  cpu                = 256
  memory             = 512

  containers = {
    app = {
      role         = "web"
      port         = 8000
      environment  = { B = "2", A = "1" }
      secrets      = { TOKEN = "/shop/stg/token" }
      health_check = { command = ["CMD", "true"] }
    }
    nginx = { role = "nginx", port = 80, depends_on = { app = "HEALTHY" }, stop_timeout_seconds = 5 }
    agent = { image = "public.ecr.aws/vendor/agent:1", essential = false }
  }
}

run "a_name_that_does_not_fit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "Shop"
  }

  expect_failures = [var.name]
}

run "a_size_that_fargate_lacks_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    cpu = 300
  }

  expect_failures = [var.cpu]
}

run "memory_that_does_not_go_with_the_cpu_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    cpu    = 512
    memory = 512
  }

  expect_failures = [var.memory]
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

run "a_disk_smaller_than_fargates_own_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ephemeral_storage_gib = 20
  }

  expect_failures = [var.ephemeral_storage_gib]
}

run "a_container_with_both_a_role_and_an_image_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", image = "nginx" } }
  }

  expect_failures = [var.containers]
}

run "a_container_with_neither_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web" }, agent = {} }
  }

  expect_failures = [var.containers]
}

run "a_containers_name_with_a_dot_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { "app.1" = { role = "web" } }
  }

  expect_failures = [var.containers]
}

run "side_cars_alone_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { agent = { image = "agent" } }
  }

  expect_failures = [var.containers]
}

run "a_task_of_which_nothing_is_essential_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", essential = false } }
  }

  expect_failures = [var.containers]
}

run "two_containers_on_one_port_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", port = 80 }, nginx = { role = "nginx", port = 80 } }
  }

  expect_failures = [var.containers]
}

run "a_stop_that_fargate_would_not_wait_for_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", stop_timeout_seconds = 121 } }
  }

  expect_failures = [var.containers]
}

run "a_health_check_out_of_range_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", health_check = { command = ["CMD", "true"], interval_seconds = 4 } } }
  }

  expect_failures = [var.containers]
}

run "a_dependency_on_nobody_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", depends_on = { other = "START" } } }
  }

  expect_failures = [var.containers]
}

run "an_unknown_condition_of_a_dependency_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", depends_on = { nginx = "READY" } }, nginx = { role = "nginx" } }
  }

  expect_failures = [var.containers]
}

run "waiting_for_health_that_nobody_checks_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", depends_on = { nginx = "HEALTHY" } }, nginx = { role = "nginx" } }
  }

  expect_failures = [var.containers]
}

run "a_name_that_is_a_variable_and_a_secret_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", environment = { TOKEN = "1" }, secrets = { TOKEN = "/shop/stg/token" } } }
  }

  expect_failures = [var.containers]
}

run "a_mount_at_a_relative_path_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", mounts = { tmp = "scratch" } } }
  }

  expect_failures = [var.containers]
}

run "a_mount_of_a_path_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", mounts = { "/tmp" = "/var/tmp" } } }
  }

  expect_failures = [var.containers]
}

run "too_few_open_files_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", open_files = 100 } }
  }

  expect_failures = [var.containers]
}

run "an_environment_file_of_another_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", environment_files = ["arn:aws:s3:::shop-settings/stg.txt"] } }
  }

  expect_failures = [var.containers]
}

run "more_memory_than_the_task_has_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", memory = 400 }, nginx = { role = "nginx", memory_reservation = 200 } }
  }

  expect_failures = [var.containers]
}

run "a_reservation_above_the_limit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", memory = 128, memory_reservation = 256 } }
  }

  expect_failures = [var.containers]
}

run "more_cpu_than_the_task_has_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    containers = { app = { role = "web", cpu = 200 }, nginx = { role = "nginx", cpu = 100 } }
  }

  expect_failures = [var.containers]
}
