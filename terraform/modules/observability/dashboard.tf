# Two graphs in a row, the alarms above them.

locals {
  graphs = concat(
    [for balancer in var.load_balancer[*] : {
      title = "Requests and errors a minute"
      stat  = "Sum"
      metrics = [
        ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", balancer.arn_suffix],
        [".", "HTTPCode_Target_5XX_Count", ".", "."],
        [".", "HTTPCode_ELB_5XX_Count", ".", "."],
      ]
    }],
    [for balancer in var.load_balancer[*] : {
      title   = "Seconds to answer, for one in twenty"
      stat    = "p95"
      metrics = [for key in sort(keys(local.target_groups)) : ["AWS/ApplicationELB", "TargetResponseTime", "TargetGroup", local.target_groups[key].suffix, "LoadBalancer", balancer.arn_suffix, { label = key }]]
    }],
    [for title, metric in { "CPU of the services, %" = "CPUUtilization", "Memory of the services, %" = "MemoryUtilization" } : {
      title                                          = title
      stat                                           = "Average"
      metrics                                        = [for short in sort(keys(var.services)) : ["AWS/ECS", metric, "ServiceName", var.services[short], "ClusterName", var.cluster, { label = short }]]
    }],
    [for title in var.container_insights ? ["Running tasks"] : [] : {
      title   = title
      stat    = "Average"
      metrics = [for short in sort(keys(var.services)) : ["ECS/ContainerInsights", "RunningTaskCount", "ServiceName", var.services[short], "ClusterName", var.cluster, { label = short }]]
    }],
    [for database in var.database[*] : {
      title = "Database"
      stat  = "Average"
      metrics = [
        ["AWS/RDS", "CPUUtilization", database.aurora ? "DBClusterIdentifier" : "DBInstanceIdentifier", database.identifier],
        [".", "DatabaseConnections", ".", "."],
      ]
    }],
  )

  widgets = concat(
    [{
      type       = "alarm"
      x          = 0
      y          = 0
      width      = 24
      height     = 3
      properties = { title = var.name, alarms = concat([for key in sort(keys(local.alarms)) : aws_cloudwatch_metric_alarm.this[key].arn], values(aws_cloudwatch_metric_alarm.tasks)[*].arn) }
    }],
    [for index, graph in local.graphs : {
      type       = "metric"
      x          = 12 * (index % 2)
      y          = 3 + 6 * floor(index / 2)
      width      = 12
      height     = 6
      properties = merge(graph, { region = var.region, period = 60, view = "timeSeries" })
    }],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = local.widgets })
}
