# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  path            = "/shop/stg/infrastructure"
  plain           = { DB_HOST = "db.example.com", "queue.url" = "https://example.com" }
  secrets         = { TOKEN = "hunter2" }
  secret_versions = { TOKEN = 3 }
}

run "nonsense_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    path            = "/aws/stg"
    plain           = { "DB HOST" = "db.example.com", EMPTY = "" }
    kms_key_arn     = "alias/shop"
    secret_versions = {}
  }

  expect_failures = [var.path, var.plain, var.kms_key_arn]
}

run "an_empty_value_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    plain           = { EMPTY = "" }
    secret_versions = {}
  }

  expect_failures = [var.plain]
}

run "a_name_with_a_blank_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    plain           = { "DB HOST" = "db.example.com" }
    secret_versions = {}
  }

  expect_failures = [var.plain]
}

run "a_parameter_of_both_kinds_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    secret_versions = { DB_HOST = 1 }
  }

  expect_failures = [var.secret_versions]
}

run "a_version_below_one_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    secret_versions = { TOKEN = 0 }
  }

  expect_failures = [var.secret_versions]
}
