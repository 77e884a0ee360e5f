# A private DNS zone in which services are found by name, and who may connect to whom (docs/adr/0020-service-discovery.md). Here and
# not beside the services, because two services may each be the other's client.

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = var.name
  description = "Services by name"
  vpc         = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = var.connections

  security_group_id            = each.value.to_group
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = each.value.from_group
}
