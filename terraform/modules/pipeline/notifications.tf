# Who is told how an execution ended; the same topic asks for approval.

locals {
  topics = { for one in var.notifications[*] : "this" => one if one.topic_arn == null } # none or one
  tell   = var.notifications == null ? null : try(one(values(aws_sns_topic.this)).arn, var.notifications.topic_arn)
}

resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26:EventBridge could not write to a topic under SNS's own key, and what is told names a pipeline and a state
  for_each = local.topics

  name = "${var.name}-pipeline"
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.topics

  arn = aws_sns_topic.this[each.key].arn

  # Without a condition: EventBridge says nothing of itself to a topic, so any would keep it out, and nobody would be told of that either.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Tell"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.this[each.key].arn
    }]
  })
}

resource "aws_sns_topic_subscription" "this" {
  for_each = toset(flatten([for one in values(local.topics) : tolist(one.emails)]))

  topic_arn = aws_sns_topic.this["this"].arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_event_rule" "tell" {
  for_each = { for one in var.notifications[*] : "this" => one }

  name        = "${var.name}-pipeline-tell"
  description = "Tells how executions of the pipeline ${var.name} go"

  event_pattern = jsonencode({
    source      = ["aws.codepipeline"]
    detail-type = ["CodePipeline Pipeline Execution State Change"]
    detail      = { pipeline = [var.name], state = sort(each.value.states) }
  })
}

resource "aws_cloudwatch_event_target" "tell" {
  for_each = aws_cloudwatch_event_rule.tell

  rule = each.value.name
  arn  = local.tell

  input_transformer {
    input_paths    = { state = "$.detail.state", execution = "$.detail.execution-id" }
    input_template = "\"The pipeline ${var.name} is <state> (execution <execution>).\""
  }
}
