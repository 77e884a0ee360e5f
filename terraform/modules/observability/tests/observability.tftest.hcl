mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:ap-northeast-1:111111111111:shop-stg-alarms" }
  }

  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:ap-northeast-1:111111111111:alarm:mock" }
  }
}

variables {
  name     = "shop-stg"
  region   = "ap-northeast-1"
  cluster  = "shop-stg"
  services = { web = "shop-stg-web", job = "shop-stg-job" }

  load_balancer = {
    arn_suffix    = "app/shop-stg/1"
    target_groups = { web = ["targetgroup/shop-stg-web-80/1"] }
  }
}

run "what_is_there_is_watched" {
  command = apply

  assert {
    condition = sort(output.alarm_names) == tolist([
      "shop-stg-load-balancer-errors",
      "shop-stg-service-job-cpu", "shop-stg-service-job-memory",
      "shop-stg-service-web-cpu", "shop-stg-service-web-errors", "shop-stg-service-web-latency", "shop-stg-service-web-memory", "shop-stg-service-web-unhealthy",
    ])
    error_message = "services, their targets and the load balancer have alarms, and nothing else has: ${join(", ", output.alarm_names)}"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["service-web-cpu"].dimensions == tomap({ ClusterName = "shop-stg", ServiceName = "shop-stg-web" }) && aws_cloudwatch_metric_alarm.this["service-web-cpu"].threshold == 85
    error_message = "a service is measured by its full name"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["service-web-errors"].dimensions == tomap({ LoadBalancer = "app/shop-stg/1", TargetGroup = "targetgroup/shop-stg-web-80/1" }) && aws_cloudwatch_metric_alarm.this["service-web-errors"].statistic == "Sum"
    error_message = "errors are counted for each service"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["service-web-latency"].extended_statistic == "p95" && aws_cloudwatch_metric_alarm.this["service-web-latency"].statistic == null && aws_cloudwatch_metric_alarm.this["service-web-latency"].evaluate_low_sample_count_percentiles == "ignore"
    error_message = "the slowest twentieth counts, where there are enough requests to have one"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["service-web-unhealthy"].threshold == 0 && aws_cloudwatch_metric_alarm.this["service-web-unhealthy"].comparison_operator == "GreaterThanThreshold"
    error_message = "one task that stays unhealthy is one too many"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.evaluation_periods == 5 && alarm.datapoints_to_alarm == 3 && alarm.period == 60])
    error_message = "an alarm goes off after three bad minutes of five"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([output.topic_arn]) && alarm.ok_actions == toset([output.topic_arn])])
    error_message = "its beginning and its end are told"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "notBreaching"])
    error_message = "silence at night is no alarm"
  }

  assert {
    condition     = output.topic_arn == aws_sns_topic.this[0].arn && length(aws_sns_topic_subscription.this) == 0
    error_message = "a topic is there for whoever wants to listen"
  }
}

run "the_dashboard_shows_the_same" {
  command = apply

  variables {
    container_insights = true
    database           = { identifier = "shop-stg" }
  }

  assert {
    condition = [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title] == [
      "shop-stg", "Requests and errors a minute", "Seconds to answer, for one in twenty", "CPU of the services, %", "Memory of the services, %", "Running tasks", "Database"
    ]
    error_message = "alarms first, then users, services and the database"
  }

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [widget.x, widget.y]] == [[0, 0], [0, 3], [12, 3], [0, 9], [12, 9], [0, 15], [12, 15]]
    error_message = "two graphs in a row, none over another"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[2].properties.metrics == [["AWS/ApplicationELB", "TargetResponseTime", "TargetGroup", "targetgroup/shop-stg-web-80/1", "LoadBalancer", "app/shop-stg/1", { label = "web" }]]
    error_message = "a line for each service, under its short name"
  }
}

run "missing_tasks_are_counted_where_they_can_be" {
  command = apply

  variables {
    container_insights = true
    patience           = { minutes = 15, bad_minutes = 15 }
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.tasks) == ["job", "web"] && contains(output.alarm_names, "shop-stg-service-web-tasks")
    error_message = "every service, also one behind no load balancer"
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.tasks["web"].metric_query : query.expression if query.id == "missing"]) == "desired - FILL(running, 0)"
    error_message = "a service that runs none at all reports none"
  }

  assert {
    condition     = { for query in aws_cloudwatch_metric_alarm.tasks["web"].metric_query : query.id => query.metric[0].metric_name if length(query.metric) > 0 } == { desired = "DesiredTaskCount", running = "RunningTaskCount" }
    error_message = "both counts are Container Insights'"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.tasks["web"].evaluation_periods == 15
    error_message = "a rollout may take its time"
  }
}

run "an_instance_is_watched_for_its_storage" {
  command = plan

  variables {
    database   = { identifier = "shop-stg" }
    thresholds = { database_free_gib = 10 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-storage"].threshold == 10737418240 && aws_cloudwatch_metric_alarm.this["database-storage"].comparison_operator == "LessThanThreshold"
    error_message = "storage is short below 10 GiB"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-cpu"].dimensions == tomap({ DBInstanceIdentifier = "shop-stg" })
    error_message = "the instance is measured"
  }
}

run "an_aurora_cluster_grows_by_itself" {
  command = plan

  variables {
    database = { identifier = "shop-stg", aurora = true }
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "database-storage") && aws_cloudwatch_metric_alarm.this["database-cpu"].dimensions == tomap({ DBClusterIdentifier = "shop-stg" })
    error_message = "only the cluster's CPU is watched"
  }
}

run "every_node_of_the_cache_is_watched" {
  command = plan

  variables {
    cache = { nodes = ["shop-stg-002", "shop-stg-001"], count = 2 }
  }

  assert {
    condition     = [for number in [1, 2] : aws_cloudwatch_metric_alarm.this["cache-${number}-memory"].dimensions.CacheClusterId] == ["shop-stg-001", "shop-stg-002"]
    error_message = "node by node"
  }
}

run "both_groups_of_a_blue_green_service_are_watched" {
  command = plan

  variables {
    load_balancer = { arn_suffix = "app/shop-stg/1", target_groups = { web = ["targetgroup/blue/1", "targetgroup/green/2"] } }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["service-web-errors"].dimensions.TargetGroup == "targetgroup/blue/1" && aws_cloudwatch_metric_alarm.this["service-web-green-errors"].dimensions.TargetGroup == "targetgroup/green/2"
    error_message = "whichever serves"
  }
}

run "without_a_load_balancer_services_are_watched_alone" {
  command = plan

  variables {
    load_balancer = null
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.this) == ["service-job-cpu", "service-job-memory", "service-web-cpu", "service-web-memory"]
    error_message = "CPU and memory"
  }
}

run "people_and_programs_are_told" {
  command = plan

  variables {
    topic_arn = "arn:aws:sns:ap-northeast-1:111111111111:chat"
    emails    = ["ops@example.com"]
    webhooks  = ["https://events.example.com/key"]
  }

  assert {
    condition     = { for endpoint, subscription in aws_sns_topic_subscription.this : endpoint => subscription.protocol } == { "ops@example.com" = "email", "https://events.example.com/key" = "https" }
    error_message = "by mail and by HTTPS"
  }

  assert {
    condition     = length(aws_sns_topic.this) == 0 && aws_cloudwatch_metric_alarm.this["service-web-cpu"].alarm_actions == toset(["arn:aws:sns:ap-northeast-1:111111111111:chat"])
    error_message = "through the topic that is there already"
  }
}
