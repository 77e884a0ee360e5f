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
  tasks          = { web = {}, job = {} }

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

  assert {
    condition     = aws_iam_role.task["web"].name == "shop-stg-web-task" && aws_iam_role.task["job"].name == "shop-stg-job-task"
    error_message = "each service has a role of its own"
  }

  assert {
    condition     = length(aws_iam_role_policy.task) == 0 && length(aws_iam_role_policy_attachment.task) == 0
    error_message = "an application may do nothing until it needs something"
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

run "a_service_gets_what_it_needs_and_no_other_does" {
  command = apply

  variables {
    secrets            = []
    environment_files  = ["arn:aws:s3:::shop-settings/stg.env", "arn:aws:s3:::shop-settings/web.env"]
    kms_key_arns       = ["arn:aws:kms:ap-northeast-1:111111111111:key/1"]
    exec_log_group_arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:/shop/stg/exec"
    exec_kms_key_arn   = "arn:aws:kms:ap-northeast-1:111111111111:key/2"

    tasks = {
      web = {
        execute_command = true
        policies        = ["arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"]
        permissions = [{
          actions    = ["s3:GetObject", "ec2:DescribeIpv6Pools"]
          resources  = ["arn:aws:s3:::shop-uploads/*"]
          conditions = [{ test = "Bool", variable = "aws:SecureTransport", values = ["true"] }]
        }]
      }
      job = {}
    }
  }

  assert {
    condition     = keys(aws_iam_role_policy.task) == ["web"] && keys(aws_iam_role_policy_attachment.task) == ["web arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"]
    error_message = "the job's role stays empty"
  }

  assert {
    condition     = data.aws_iam_policy_document.task["web"].statement[0].resources == toset(["arn:aws:s3:::shop-uploads/*"]) && one(data.aws_iam_policy_document.task["web"].statement[0].condition).variable == "aws:SecureTransport"
    error_message = "a permission is taken over with its conditions"
  }

  assert {
    condition     = [for statement in slice(data.aws_iam_policy_document.task["web"].statement, 1, 5) : statement.sid] == ["ExecuteCommand", "LogSessions", "FindLog", "DecryptSessions"]
    error_message = "a shell can be opened, is written down, and is encrypted"
  }

  assert {
    condition     = data.aws_iam_policy_document.task["web"].statement[2].resources == toset(["arn:aws:logs:ap-northeast-1:111111111111:log-group:/shop/stg/exec:*"])
    error_message = "sessions go to their own log"
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.execution.statement : one(statement.actions) => statement.resources if length(statement.actions) == 1 && statement.sid == null || statement.sid == "" } == {
      "kms:Decrypt"          = toset(["arn:aws:kms:ap-northeast-1:111111111111:key/1"])
      "s3:GetObject"         = toset(["arn:aws:s3:::shop-settings/stg.env", "arn:aws:s3:::shop-settings/web.env"])
      "s3:GetBucketLocation" = toset(["arn:aws:s3:::shop-settings"])
    }
    error_message = "ECS reads these files, and decrypts with that key"
  }

  assert {
    condition     = toset(output.passed_role_arns) == toset([aws_iam_role.execution.arn, aws_iam_role.task["web"].arn, aws_iam_role.task["job"].arn])
    error_message = "these roles are handed to ECS, and no other"
  }
}
