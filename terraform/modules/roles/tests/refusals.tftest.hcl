# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name           = "shop-stg"
  account_id     = "111111111111"
  region         = "ap-northeast-1"
  repository_arn = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop"
  log_group_arns = ["arn:aws:logs:ap-northeast-1:111111111111:log-group:/shop/stg/web"]
  tasks          = { web = {}, job = {} }

  secrets = [
    "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1:password::",
    "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1:username::",
    "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/stg/token",
    "/shop/stg/key",
    "flat",
  ]
}

run "a_name_that_no_role_may_have_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "shop stg"
  }

  expect_failures = [var.name]
}

run "an_account_that_is_none_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    account_id = "1111"
  }

  expect_failures = [var.account_id]
}

run "a_secret_value_instead_of_a_reference_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    secrets = ["hunter 2!"]
  }

  expect_failures = [var.secrets]
}

run "an_environment_file_that_is_no_object_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    environment_files = ["s3://shop-settings/stg.env"]
  }

  expect_failures = [var.environment_files]
}

run "a_keys_alias_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    kms_key_arns = ["arn:aws:kms:ap-northeast-1:111111111111:alias/shop"]
  }

  expect_failures = [var.kms_key_arns]
}

run "a_name_too_long_for_a_role_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    tasks = { a-task-with-such-a-long-name-that-no-role-could-be-called-after-it = {} }
  }

  expect_failures = [var.tasks]
}

run "a_permission_for_nothing_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    tasks = { web = { permissions = [{ actions = ["s3:GetObject"], resources = [] }] } }
  }

  expect_failures = [var.tasks]
}

run "all_actions_of_a_service_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    tasks = { web = { permissions = [{ actions = ["s3:*"], resources = ["*"] }] } }
  }

  expect_failures = [var.tasks]
}

run "an_action_without_a_service_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    tasks = { web = { permissions = [{ actions = ["GetObject"], resources = ["*"] }] } }
  }

  expect_failures = [var.tasks]
}

run "a_policy_by_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    tasks = { web = { policies = ["AdministratorAccess"] } }
  }

  expect_failures = [var.tasks]
}

run "a_log_by_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    exec_log_group_arn = "/shop/stg/exec"
  }

  expect_failures = [var.exec_log_group_arn]
}

run "a_sessions_key_by_alias_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    exec_kms_key_arn = "alias/shop"
  }

  expect_failures = [var.exec_kms_key_arn]
}
