# Who talked to whom, and what was turned away.

locals {
  flow_logs     = { for logs in var.flow_logs[*] : "this" => logs } # none or one
  flow_log_name = "${var.name}-flow-logs"
}

resource "aws_cloudwatch_log_group" "flow_logs" {
  for_each = local.flow_logs

  name              = "/${var.name}/flow-logs"
  retention_in_days = each.value.retention_days
  kms_key_id        = each.value.kms_key_arn
}

resource "aws_flow_log" "this" {
  for_each = local.flow_logs

  vpc_id                   = aws_vpc.this.id
  traffic_type             = each.value.traffic
  max_aggregation_interval = each.value.interval_seconds
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.flow_logs[each.key].arn
  iam_role_arn             = aws_iam_role.flow_logs[each.key].arn

  tags = { Name = var.name }
}

data "aws_caller_identity" "this" {
  for_each = local.flow_logs
}

data "aws_iam_policy_document" "flow_logs_trust" {
  for_each = local.flow_logs

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    # The service acts here for flow logs of this account only, whoever asks it to.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this[each.key].account_id]
    }
  }
}

data "aws_iam_policy_document" "flow_logs" {
  for_each = local.flow_logs

  statement {
    sid       = "Write"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow_logs[each.key].arn}:*"]
  }

  statement {
    sid       = "Find"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # it lists: there is no one group to name
  }
}

resource "aws_iam_role" "flow_logs" {
  for_each = local.flow_logs

  name               = local.flow_log_name
  assume_role_policy = data.aws_iam_policy_document.flow_logs_trust[each.key].json
}

resource "aws_iam_role_policy" "flow_logs" {
  for_each = local.flow_logs

  name   = "write"
  role   = aws_iam_role.flow_logs[each.key].id
  policy = data.aws_iam_policy_document.flow_logs[each.key].json
}
