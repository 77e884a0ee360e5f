# The names that users type: records that lead to the load balancer, and the certificate for them, unless there is one already.

locals {
  names           = try(var.dns.names, [])
  makes_cert      = var.dns != null && var.certificate_arn == null
  certificate_arn = local.makes_cert ? one(aws_acm_certificate_validation.this[*].certificate_arn) : var.certificate_arn
}

resource "aws_acm_certificate" "this" {
  count = local.makes_cert ? 1 : 0

  domain_name               = local.names[0]
  subject_alternative_names = slice(local.names, 1, length(local.names))
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true # the listener changes over before the old one goes
  }
}

# A name and its wildcard are proved by the same record. The keys are the names we know, not what ACM answers: so a first plan can show them.
resource "aws_route53_record" "validation" {
  for_each = toset(local.makes_cert ? [for name in local.names : trimprefix(name, "*.")] : [])

  zone_id         = var.dns.zone_id
  name            = [for option in aws_acm_certificate.this[0].domain_validation_options : option.resource_record_name if trimprefix(option.domain_name, "*.") == each.key][0]
  type            = [for option in aws_acm_certificate.this[0].domain_validation_options : option.resource_record_type if trimprefix(option.domain_name, "*.") == each.key][0]
  records         = [[for option in aws_acm_certificate.this[0].domain_validation_options : option.resource_record_value if trimprefix(option.domain_name, "*.") == each.key][0]]
  ttl             = 60
  allow_overwrite = true # every certificate of a name in this account is proved by the same record
}

resource "aws_acm_certificate_validation" "this" {
  count = local.makes_cert ? 1 : 0

  certificate_arn         = aws_acm_certificate.this[0].arn
  validation_record_fqdns = values(aws_route53_record.validation)[*].fqdn
}

resource "aws_route53_record" "alias" {
  for_each = toset(local.names)

  zone_id = var.dns.zone_id
  name    = each.key
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
