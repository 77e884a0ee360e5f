# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name         = "shop"
  force_delete = false
}

run "everybody_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    pull_principals = ["*"]
    push_principals = ["arn:aws:iam::*:root"]
    kms_key_arn     = "alias/images"
  }

  expect_failures = [var.pull_principals, var.push_principals, var.kms_key_arn]
}

run "nonsense_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name          = "Shop"
    untagged_days = 0
    cache_days    = 0
  }

  expect_failures = [var.name, var.untagged_days, var.cache_days]
}
