# Who is told when something is wrong, and one page that shows how it is.
#
# Every alarm is one row of `local.alarms`: they differ in what they measure and from where on it is too much, in nothing else. An alarm goes off
# after several minutes of several, since a single bad one mends itself more often than anybody who was woken.

locals {
  # Blue/green services have two target groups, of which the second is usually empty: both are watched.
  target_groups = merge([
    for service, suffixes in var.load_balancer == null ? {} : var.load_balancer.target_groups : {
      for index, suffix in suffixes : index == 0 ? service : "${service}-green" => { service = service, suffix = suffix }
    }
  ]...)

  service_alarms = merge([
    for short, name in var.services : {
      for key, alarm in {
        cpu    = { metric = "CPUUtilization", over = var.thresholds.cpu_percent, says = "uses more than ${var.thresholds.cpu_percent} % of its CPU" }
        memory = { metric = "MemoryUtilization", over = var.thresholds.memory_percent, says = "uses more than ${var.thresholds.memory_percent} % of its memory" }
        } : "service-${short}-${key}" => merge(alarm, {
          namespace  = "AWS/ECS"
          dimensions = { ClusterName = var.cluster, ServiceName = name }
          statistic  = "Average"
          says       = "${name} ${alarm.says}"
      })
    }
  ]...)

  target_alarms = merge([
    for key, group in local.target_groups : {
      for what, alarm in {
        errors    = { metric = "HTTPCode_Target_5XX_Count", statistic = "Sum", over = var.thresholds.errors_per_minute, says = "answers with 5xx more than ${var.thresholds.errors_per_minute} times a minute" }
        latency   = { metric = "TargetResponseTime", statistic = "p95", over = var.thresholds.latency_seconds, says = "takes longer than ${var.thresholds.latency_seconds} s for one in twenty requests" }
        unhealthy = { metric = "UnHealthyHostCount", statistic = "Maximum", over = 0, says = "has tasks that fail their health check" }
        } : "service-${key}-${what}" => merge(alarm, {
          namespace  = "AWS/ApplicationELB"
          dimensions = { LoadBalancer = var.load_balancer.arn_suffix, TargetGroup = group.suffix }
          says       = "${group.service} ${alarm.says}"
      })
    }
  ]...)

  balancer_alarms = {
    for balancer in var.load_balancer[*] : "load-balancer-errors" => {
      namespace  = "AWS/ApplicationELB"
      dimensions = { LoadBalancer = balancer.arn_suffix }
      metric     = "HTTPCode_ELB_5XX_Count"
      statistic  = "Sum"
      over       = var.thresholds.errors_per_minute
      says       = "the load balancer itself answers with 5xx: no task takes the request, or one ends in the middle of it"
    }
  }

  # Aurora's storage grows by itself.
  database_alarms = merge([
    for database in var.database[*] : {
      for key, alarm in merge(
        { cpu = { metric = "CPUUtilization", over = var.thresholds.database_cpu_percent, says = "uses more than ${var.thresholds.database_cpu_percent} % of its CPU" } },
        database.aurora ? {} : { storage = { metric = "FreeStorageSpace", under = var.thresholds.database_free_gib * 1024 * 1024 * 1024, says = "has less than ${var.thresholds.database_free_gib} GiB of storage left" } }
        ) : "database-${key}" => merge(alarm, {
          namespace  = "AWS/RDS"
          dimensions = { (database.aurora ? "DBClusterIdentifier" : "DBInstanceIdentifier") = database.identifier }
          statistic  = "Average"
          says       = "the database ${alarm.says}"
      })
    }
  ]...)

  # By number: how many nodes there are is known before their names.
  cache_alarms = merge([
    for cache in var.cache[*] : {
      for index in range(cache.count) : "cache-${index + 1}-memory" => {
        namespace  = "AWS/ElastiCache"
        dimensions = { CacheClusterId = sort(cache.nodes)[index] }
        metric     = "DatabaseMemoryUsagePercentage"
        statistic  = "Average"
        over       = var.thresholds.cache_memory_percent
        says       = "node ${index + 1} of the cache is filled to more than ${var.thresholds.cache_memory_percent} %"
      }
    }
  ]...)

  alarms = merge(local.service_alarms, local.target_alarms, local.balancer_alarms, local.database_alarms, local.cache_alarms)

  topic_arn = coalesce(var.topic_arn, one(aws_sns_topic.this[*].arn))
}

resource "aws_sns_topic" "this" {
  count = var.topic_arn == null ? 1 : 0

  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_subscription" "this" {
  for_each = merge({ for email in var.emails : email => "email" }, { for url in var.webhooks : url => "https" })

  topic_arn = local.topic_arn
  protocol  = each.value
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic == "p95" ? null : each.value.statistic
  extended_statistic  = each.value.statistic == "p95" ? "p95" : null
  comparison_operator = can(each.value.under) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = try(each.value.under, each.value.over)
  period              = 60
  evaluation_periods  = var.patience.minutes
  datapoints_to_alarm = var.patience.bad_minutes
  treat_missing_data  = "notBreaching" # no request, or no task: nothing to measure

  evaluate_low_sample_count_percentiles = each.value.statistic == "p95" ? "ignore" : null # of three requests one in twenty says nothing

  alarm_actions = [local.topic_arn]
  ok_actions    = [local.topic_arn]
}

# Only Container Insights counts tasks. A rollout has at least as many as it should; one that cannot start them has not.
resource "aws_cloudwatch_metric_alarm" "tasks" {
  for_each = var.container_insights ? var.services : {}

  alarm_name          = "${var.name}-service-${each.key}-tasks"
  alarm_description   = "${each.value} runs fewer tasks than it should"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = max(10, var.patience.minutes)
  datapoints_to_alarm = max(10, var.patience.minutes)
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "missing"
    expression  = "desired - FILL(running, 0)"
    label       = "Missing tasks"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { desired = "DesiredTaskCount", running = "RunningTaskCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "ECS/ContainerInsights"
        metric_name = metric_query.value
        dimensions  = { ClusterName = var.cluster, ServiceName = each.value }
        period      = 60
        stat        = "Average"
      }
    }
  }

  alarm_actions = [local.topic_arn]
  ok_actions    = [local.topic_arn]
}
