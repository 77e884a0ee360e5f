output "topic_arn" {
  description = "Where alarms are told."
  value       = local.topic_arn
}

output "alarm_names" {
  description = "Every alarm."
  value       = concat(values(aws_cloudwatch_metric_alarm.this)[*].alarm_name, values(aws_cloudwatch_metric_alarm.tasks)[*].alarm_name)
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
