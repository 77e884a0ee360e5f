# One public load balancer for all services. With a certificate port 443 serves and port 80 redirects to it.
#
# A target with `blue_green` has two groups, of which a deployment swaps the one that serves; Terraform says only which is first. Where that
# is so `lifecycle` must ignore the action, and `lifecycle` takes no variables: hence the listener and the rule named `swapped` beside the others.

locals {
  https          = var.certificate_arn != null || var.dns != null
  default_target = one([for service, target in var.targets : service if target.route == null])
  routed         = { for service, target in var.targets : service => target if target.route != null }
  blue_green     = { for service, target in var.targets : service => target if target.blue_green }
  swaps_default  = contains(keys(local.blue_green), coalesce(local.default_target, "-"))

  groups = merge(
    { for service, target in var.targets : service => merge(target, { name = "${var.name}-${service}-${target.port}" }) },
    { for service, target in local.blue_green : "${service}/green" => merge(target, { name = "${var.name}-${service}-${target.port}-g" }) }
  )

  listener = coalesce(one(aws_lb_listener.swapped[*].arn), one(aws_lb_listener.https[*].arn), one(aws_lb_listener.http[*].arn))

  ingress = merge(
    { for pair in setproduct(local.https ? [80, 443] : [80], var.clients) : "${pair[0]}-${pair[1]}" => { port = pair[0], from = pair[1], what = "HTTP from clients" } },
    { for cidr in try(var.test_listener.clients, []) : "test-${cidr}" => { port = var.test_listener.port, from = cidr, what = "Test listener" } }
  )
}

resource "aws_security_group" "this" {
  name        = "${var.name}-load-balancer"
  description = "Load balancer of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-load-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  for_each = local.ingress

  security_group_id = aws_security_group.this.id
  description       = each.value.what
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.from
}

resource "aws_vpc_security_group_egress_rule" "targets" {
  security_group_id = aws_security_group.this.id
  description       = "To the tasks"
  ip_protocol       = "tcp"
  from_port         = 0
  to_port           = 65535
  cidr_ipv4         = var.vpc_cidr
}

resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_20:without a certificate there is nothing to redirect to; with one, port 80 redirects
  # checkov:skip=CKV2_AWS_76:which rules judge requests is the web ACL's matter (web_acl_arn)
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = var.subnets
  security_groups            = [aws_security_group.this.id]
  idle_timeout               = var.idle_timeout_seconds
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection

  dynamic "access_logs" {
    for_each = aws_s3_bucket_policy.access_logs # after the policy: AWS tries to write

    content {
      bucket  = access_logs.value.bucket
      enabled = true
    }
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.this.arn
  web_acl_arn  = var.web_acl_arn
}

# The port is part of the name: it cannot be changed in place, and the new group must exist beside the old one.
resource "aws_lb_target_group" "this" {
  # checkov:skip=CKV_AWS_378:TLS ends at the load balancer; between it and the tasks there is the VPC alone
  for_each = local.groups

  name                 = each.value.name
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = each.value.port
  deregistration_delay = each.value.deregistration_delay_seconds

  health_check {
    path                = each.value.health_check.path
    matcher             = each.value.health_check.matcher
    interval            = each.value.health_check.interval_seconds
    timeout             = each.value.health_check.timeout_seconds
    healthy_threshold   = each.value.health_check.healthy_threshold
    unhealthy_threshold = each.value.health_check.unhealthy_threshold
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "http" {
  # checkov:skip=CKV_AWS_2:without a certificate it serves, else it redirects
  count = local.https || !local.swaps_default ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = local.https ? "redirect" : "forward"
    target_group_arn = local.https ? null : aws_lb_target_group.this[local.default_target].arn

    dynamic "redirect" {
      for_each = local.https ? [443] : []

      content {
        port        = redirect.value
        protocol    = "HTTPS"
        status_code = "HTTP_301"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  # checkov:skip=CKV_AWS_103:the variable refuses a policy with less than TLS 1.2; its default is not seen through null
  count = local.https && !local.swaps_default ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = local.certificate_arn
  ssl_policy        = var.tls_policy

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[local.default_target].arn
  }
}

resource "aws_lb_listener" "swapped" {
  count = local.swaps_default ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = local.https ? 443 : 80
  protocol          = local.https ? "HTTPS" : "HTTP"
  certificate_arn   = local.certificate_arn
  ssl_policy        = local.https ? var.tls_policy : null

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[local.default_target].arn
  }

  lifecycle {
    ignore_changes = [default_action] # a deployment's
  }

  # They have one port: whichever goes is gone before the other one is made.
  depends_on = [aws_lb_listener.http, aws_lb_listener.https]
}

# Where a deployment shows the new version before everybody sees it.
resource "aws_lb_listener" "test" {
  count = var.test_listener == null ? 0 : 1

  load_balancer_arn = aws_lb.this.arn
  port              = var.test_listener.port
  protocol          = local.https ? "HTTPS" : "HTTP"
  certificate_arn   = local.certificate_arn
  ssl_policy        = local.https ? var.tls_policy : null

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[local.default_target].arn
  }

  lifecycle {
    ignore_changes = [default_action] # a deployment's
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each = { for service, target in local.routed : service => target if !target.blue_green }

  listener_arn = local.listener
  priority     = each.value.route.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }

  condition {
    path_pattern {
      values = each.value.route.paths
    }
  }
}

resource "aws_lb_listener_rule" "swapped" {
  for_each = merge(
    { for service, target in local.routed : service => merge(target, { listener = local.listener }) if target.blue_green },
    { for service, target in local.routed : "${service}/test" => merge(target, { listener = aws_lb_listener.test[0].arn }) if target.blue_green && var.test_listener != null }
  )

  listener_arn = each.value.listener
  priority     = each.value.route.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[trimsuffix(each.key, "/test")].arn
  }

  condition {
    path_pattern {
      values = each.value.route.paths
    }
  }

  lifecycle {
    ignore_changes = [action] # a deployment's
  }
}
