# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name             = "shop-stg"
  environment      = "stg"
  account_id       = "111111111111"
  region           = "ap-northeast-1"
  source_type      = "ecr"
  repository       = { name = "shop", branch = "main" }
  images           = { tags = { web = "web-stg" }, trigger = "web" }
  cluster_arn      = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  contract         = "/shop/stg/contract"
  passed_role_arns = ["arn:aws:iam::111111111111:role/shop-stg-execution"]
  services         = { web = { service = "shop-stg-web", family = "shop-stg-web", containers = { app = "web" } } }

  image_repository = {
    name      = "shop"
    arn       = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop"
    cache_arn = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop-cache"
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

run "an_account_that_is_a_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    account_id = "stg"
  }

  expect_failures = [var.account_id]
}

run "a_region_that_is_none_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    region = "tokyo"
  }

  expect_failures = [var.region]
}

run "another_source_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    source_type = "s3"
    images      = null
  }

  expect_failures = [var.source_type]
}

run "a_repository_by_url_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    repository = { name = "https://example.com/acme/shop", branch = "main" }
  }

  expect_failures = [var.repository]
}

run "a_connected_repository_without_its_owner_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    repository = { name = "shop", branch = "main", connection_arn = "arn:aws:codeconnections:ap-northeast-1:111111111111:connection/1" }
  }

  expect_failures = [var.repository]
}

run "a_pattern_of_branches_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    repository = { name = "shop", branch = "deployment/*" }
  }

  expect_failures = [var.repository]
}

run "a_connection_by_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    repository = { name = "acme/shop", branch = "main", connection_arn = "github" }
  }

  expect_failures = [var.repository]
}

run "images_that_nobody_waits_for_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    source_type = "git"
  }

  expect_failures = [var.images]
}

run "a_push_of_nothing_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    images = null
  }

  expect_failures = [var.images]
}

run "a_trigger_that_is_no_role_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    images = { tags = { web = "web-stg" }, trigger = "job" }
  }

  expect_failures = [var.images]
}

run "a_fifth_image_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    images = { tags = { web = "a", b = "b", c = "c", d = "d", e = "e" }, trigger = "web" }
  }

  expect_failures = [var.images]
}

run "a_pattern_of_tags_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    images = { tags = { web = "web-*" }, trigger = "web" }
  }

  expect_failures = [var.images]
}

run "one_tag_for_two_roles_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    images = { tags = { web = "stg", job = "stg" }, trigger = "web" }
  }

  expect_failures = [var.images]
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

run "no_service_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services = {}
  }

  expect_failures = [var.services]
}

run "a_service_without_a_tag_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    services = { job = { service = "shop-stg-job", family = "shop-stg-job", containers = { worker = "job" } } }
  }

  expect_failures = [var.services]
}

run "a_fifth_image_for_codedeploy_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    source_type = "git"
    images      = null
    services    = { web = { service = "w", family = "w", containers = { a = "a", b = "b", c = "c", d = "d", e = "e" }, codedeploy = { application = "shop", deployment_group = "web" } } }
  }

  expect_failures = [var.services]
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

run "a_contract_that_is_no_parameter_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    contract = "contract"
  }

  expect_failures = [var.contract]
}

run "another_processor_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    build = { architecture = "MIPS" }
  }

  expect_failures = [var.build]
}

run "a_machine_that_there_is_not_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    build = { compute_type = "HUGE" }
  }

  expect_failures = [var.build]
}

run "a_build_without_end_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    build = { timeout_minutes = 1000 }
  }

  expect_failures = [var.build]
}

run "a_value_in_place_of_a_parameter_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    build = { parameters = { TOKEN = "12345" } }
  }

  expect_failures = [var.build]
}

run "every_parameter_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    build = { build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/*"] }
  }

  expect_failures = [var.build]
}

run "a_state_that_there_is_not_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    notifications = { states = ["BROKEN"] }
  }

  expect_failures = [var.notifications]
}

run "telling_nothing_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    notifications = { states = [] }
  }

  expect_failures = [var.notifications]
}

run "a_topic_by_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    notifications = { topic_arn = "ops" }
  }

  expect_failures = [var.notifications]
}

run "mails_of_somebody_elses_topic_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    notifications = { emails = ["ops@example.com"], topic_arn = "arn:aws:sns:ap-northeast-1:111111111111:ops" }
  }

  expect_failures = [var.notifications]
}

run "artifacts_that_are_never_there_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    artifact_days = 0
  }

  expect_failures = [var.artifact_days]
}
