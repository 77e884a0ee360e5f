# The policy document is a data source that calls no one, but a mocked provider mocks it too: so the values that go into it are
# looked at, and the JSON itself in the tests against the local AWS.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name           = "shop-stg"
  account_id     = "111111111111"
  region         = "ap-northeast-1"
  repository_arn = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop"
  log_group_arns = ["arn:aws:logs:ap-northeast-1:111111111111:log-group:/shop/stg/web"]

  secrets = [
    "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1:password::",
    "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1:username::",
    "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/stg/token",
    "/shop/stg/key",
    "flat",
  ]
}

run "the_execution_role_reads_the_named_secrets_only" {
  command = plan

  assert {
    condition = { for statement in data.aws_iam_policy_document.execution.statement : one(statement.actions) => statement.resources if length(statement.actions) == 1 } == {
      "ecr:GetAuthorizationToken" = toset(["*"])
      "secretsmanager:GetSecretValue" = toset([
        "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1",
      ])
      "ssm:GetParameters" = toset([
        "arn:aws:ssm:ap-northeast-1:111111111111:parameter/flat",
        "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/stg/key",
        "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/stg/token",
      ])
    }
    error_message = "one ARN for each secret, whatever way it was named, and `*` for nothing but the sign-in"
  }

  assert {
    condition     = one(data.aws_iam_policy_document.trust.statement[0].condition).values == tolist(["111111111111"])
    error_message = "ECS takes the role for this account only"
  }
}

run "no_secrets_no_statement" {
  command = plan

  variables {
    secrets = []
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.execution.statement : statement.sid if statement.sid != null && statement.sid != ""] == ["SignIn", "Pull", "Log"] && length(data.aws_iam_policy_document.execution.statement) == 3
    error_message = "a statement without resources would be refused"
  }
}

run "a_secret_value_instead_of_a_reference_is_refused" {
  command = plan

  variables {
    secrets = ["hunter 2!"]
  }

  expect_failures = [var.secrets]
}
