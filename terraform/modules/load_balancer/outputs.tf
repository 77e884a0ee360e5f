output "dns_name" {
  description = "Public address."
  value       = aws_lb.this.dns_name
}

output "security_group" {
  description = "Group whose members are the load balancer's network interfaces."
  value       = aws_security_group.this.id
}

output "target_groups" {
  description = "ARN of the target group, by service."
  value       = { for service, group in aws_lb_target_group.this : service => group.arn }

  # ECS refuses a service whose target group no listener uses yet.
  depends_on = [aws_lb_listener.http, aws_lb_listener.https, aws_lb_listener_rule.this]
}
