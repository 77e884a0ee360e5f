output "dns_name" {
  description = "Public address."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Zone of that address, for alias records that are made elsewhere."
  value       = aws_lb.this.zone_id
}

output "url" {
  description = "Where users reach the application: by its first name, else by the load balancer's own."
  value       = "${local.https ? "https" : "http"}://${length(local.names) > 0 ? local.names[0] : aws_lb.this.dns_name}"

  depends_on = [aws_route53_record.alias]
}

output "arn_suffix" {
  description = "The load balancer as metrics know it."
  value       = aws_lb.this.arn_suffix
}

output "security_group" {
  description = "Group whose members are the load balancer's network interfaces."
  value       = aws_security_group.this.id
}

output "target_groups" {
  description = "ARN of the target group, by service; of a blue/green one the group that is first."
  value       = { for service in keys(var.targets) : service => aws_lb_target_group.this[service].arn }

  # ECS refuses a service whose target group no listener uses yet.
  depends_on = [aws_lb_listener.http, aws_lb_listener.https, aws_lb_listener.swapped, aws_lb_listener_rule.this, aws_lb_listener_rule.swapped]
}

output "target_group_suffixes" {
  description = "The target groups of each service as metrics know them."
  value = {
    for service, target in var.targets : service => [
      for group in concat([service], target.blue_green ? ["${service}/green"] : []) : aws_lb_target_group.this[group].arn_suffix
    ]
  }
}

output "green_target_groups" {
  description = "ARN of the second target group, by service with blue/green."
  value       = { for service in keys(local.blue_green) : service => aws_lb_target_group.this["${service}/green"].arn }
}

output "target_group_names" {
  description = "Names of the target groups, by service: one, or the two that a deployment swaps."
  value = {
    for service, target in var.targets : service => [
      for group in concat([service], target.blue_green ? ["${service}/green"] : []) : aws_lb_target_group.this[group].name
    ]
  }
}

output "listener" {
  description = "ARN of the listener that users come in by."
  value       = local.listener
}

output "test_listener" {
  description = "ARN of the test listener; null without one."
  value       = one(aws_lb_listener.test[*].arn)
}

output "access_log_bucket" {
  description = "Bucket of the access logs; null without them."
  value       = one([for bucket in aws_s3_bucket.access_logs : bucket.bucket])
}

output "arn" {
  description = "The load balancer."
  value       = aws_lb.this.arn
}
