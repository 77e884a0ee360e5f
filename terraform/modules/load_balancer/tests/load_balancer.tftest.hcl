mock_provider "aws" {
  mock_resource "aws_lb" {
    defaults = {
      arn      = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/1"
      dns_name = "shop-stg.example.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg/1" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/2" }
  }
}

variables {
  name                = "shop-stg"
  vpc_id              = "vpc-1"
  vpc_cidr            = "10.1.0.0/16"
  subnets             = ["subnet-1", "subnet-2"]
  deletion_protection = true

  targets = {
    web = {
      port                         = 80
      deregistration_delay_seconds = 7
      health_check                 = { path = "/healthz", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
    }
    api = {
      port                         = 8080
      deregistration_delay_seconds = 30
      health_check                 = { path = "/", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
      route                        = { priority = 10, paths = ["/api/*"] }
    }
  }
}

run "without_a_certificate_port_80_serves" {
  command = apply

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "forward" && length(aws_lb_listener.https) == 0
    error_message = "port 80 forwards, there is no port 443"
  }

  assert {
    condition     = keys(aws_lb_listener_rule.this) == ["api"] && aws_lb_listener_rule.this["api"].priority == 10
    error_message = "the service with a route has a rule, the other is the default"
  }

  assert {
    condition     = aws_lb_target_group.this["web"].name == "shop-stg-web-80" && aws_lb_target_group.this["web"].deregistration_delay == "7"
    error_message = "a target group is named NAME-SERVICE-PORT and drains as long as asked"
  }

  assert {
    condition     = keys(output.target_groups) == ["api", "web"]
    error_message = "each service finds its target group"
  }
}

run "with_a_certificate_port_80_redirects" {
  command = plan

  variables {
    certificate_arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/1"
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "port 80 redirects"
  }

  assert {
    condition     = aws_lb_listener.https[0].default_action[0].type == "forward" && keys(aws_vpc_security_group_ingress_rule.public) == ["443", "80"]
    error_message = "port 443 is open and forwards"
  }
}

run "nonsense_is_refused" {
  command = plan

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 30
        health_check                 = { path = "healthz", matcher = "200", interval_seconds = 5, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        route                        = { priority = 10, paths = ["/"] }
      }
    }
  }

  expect_failures = [var.targets]
}
