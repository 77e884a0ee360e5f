mock_provider "aws" {}

variables {
  path            = "/shop/stg/infrastructure"
  plain           = { DB_HOST = "db.example.com", "queue.url" = "https://example.com" }
  secrets         = { TOKEN = "hunter2" }
  secret_versions = { TOKEN = 3 }
}

run "plain_values_are_shown_and_secret_ones_never_kept" {
  command = apply

  assert {
    condition     = { for name, parameter in aws_ssm_parameter.plain : parameter.name => [parameter.type, parameter.insecure_value] } == { "/shop/stg/infrastructure/DB_HOST" = ["String", "db.example.com"], "/shop/stg/infrastructure/queue.url" = ["String", "https://example.com"] }
    error_message = "a plan shows what changes in a plain value"
  }

  assert {
    condition     = aws_ssm_parameter.secret["TOKEN"].type == "SecureString" && aws_ssm_parameter.secret["TOKEN"].value_wo == null && aws_ssm_parameter.secret["TOKEN"].value_wo_version == 3
    error_message = "a secret is written and forgotten"
  }

  assert {
    condition     = output.names == { DB_HOST = "/shop/stg/infrastructure/DB_HOST", "queue.url" = "/shop/stg/infrastructure/queue.url", TOKEN = "/shop/stg/infrastructure/TOKEN" }
    error_message = "both kinds have a name"
  }
}

run "a_key_of_their_own" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:ap-northeast-1:111111111111:key/1"
  }

  assert {
    condition     = aws_ssm_parameter.secret["TOKEN"].key_id == "arn:aws:kms:ap-northeast-1:111111111111:key/1"
    error_message = "secrets are encrypted with the key"
  }
}

run "nothing_is_made_of_nothing" {
  command = plan

  variables {
    plain           = {}
    secrets         = {}
    secret_versions = {}
  }

  assert {
    condition     = length(aws_ssm_parameter.plain) + length(aws_ssm_parameter.secret) == 0
    error_message = "there is no parameter by default"
  }
}
