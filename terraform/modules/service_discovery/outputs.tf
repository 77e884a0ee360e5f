output "namespace_id" {
  description = "Namespace that services are registered in."
  value       = aws_service_discovery_private_dns_namespace.this.id
}

output "domain" {
  description = "Domain of the services: one is found at SERVICE.DOMAIN."
  value       = aws_service_discovery_private_dns_namespace.this.name
}
