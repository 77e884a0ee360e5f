mock_provider "aws" {
  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/1"
      arn_suffix = "app/shop-stg/1"
      dns_name   = "shop-stg.elb.example.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg/1" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/2" }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/new"
      domain_validation_options = [
        { domain_name = "shop.example.com", resource_record_name = "_1.shop.example.com", resource_record_type = "CNAME", resource_record_value = "_1.acm.example" },
        { domain_name = "*.shop.example.com", resource_record_name = "_1.shop.example.com", resource_record_type = "CNAME", resource_record_value = "_1.acm.example" },
        { domain_name = "www.example.com", resource_record_name = "_2.www.example.com", resource_record_type = "CNAME", resource_record_value = "_2.acm.example" },
      ]
    }
  }

  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/new" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::shop-stg-access-logs-111111111111", id = "shop-stg-access-logs-111111111111" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111111111111" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
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
    condition     = aws_lb_listener.http[0].default_action[0].type == "forward" && length(aws_lb_listener.https) == 0
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

  assert {
    condition     = output.url == "http://shop-stg.elb.example.com" && output.listener == aws_lb_listener.http[0].arn
    error_message = "users come in by the load balancer's own address"
  }

  assert {
    condition     = { for key, rule in aws_vpc_security_group_ingress_rule.public : key => rule.from_port } == { "80-0.0.0.0/0" = 80 }
    error_message = "everybody may come in"
  }

  assert {
    condition     = length(aws_lb_listener.swapped) == 0 && length(aws_lb_listener.test) == 0 && length(aws_lb_listener_rule.swapped) == 0 && output.green_target_groups == {} && output.test_listener == null
    error_message = "without blue/green each service has one target group, and there is no test listener"
  }

  assert {
    condition     = length(aws_lb.this.access_logs) == 0 && output.access_log_bucket == null && length(aws_wafv2_web_acl_association.this) == 0 && length(aws_route53_record.alias) == 0
    error_message = "what was not asked for is not there"
  }

  assert {
    condition     = aws_lb.this.enable_deletion_protection && aws_lb.this.drop_invalid_header_fields && aws_lb.this.idle_timeout == 60
    error_message = "the load balancer is protected, and passes no malformed header on"
  }
}

run "with_a_certificate_port_80_redirects" {
  command = plan

  variables {
    certificate_arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/1"
  }

  assert {
    condition     = aws_lb_listener.http[0].default_action[0].type == "redirect" && aws_lb_listener.http[0].default_action[0].redirect[0].protocol == "HTTPS"
    error_message = "port 80 redirects"
  }

  assert {
    condition     = aws_lb_listener.https[0].default_action[0].type == "forward" && keys(aws_vpc_security_group_ingress_rule.public) == ["443-0.0.0.0/0", "80-0.0.0.0/0"]
    error_message = "port 443 is open and forwards"
  }

  assert {
    condition     = aws_lb_listener.https[0].certificate_arn == "arn:aws:acm:ap-northeast-1:111111111111:certificate/1" && aws_lb_listener.https[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    error_message = "it shows the certificate, and takes TLS 1.2 and 1.3"
  }

  assert {
    condition     = length(aws_acm_certificate.this) == 0
    error_message = "no other certificate is made"
  }
}

run "a_zone_gives_names_and_a_certificate" {
  command = apply

  variables {
    dns = { zone_id = "Z0123456789", names = ["shop.example.com", "*.shop.example.com", "www.example.com"] }
  }

  assert {
    condition     = aws_acm_certificate.this[0].domain_name == "shop.example.com" && aws_acm_certificate.this[0].subject_alternative_names == toset(["*.shop.example.com", "www.example.com"])
    error_message = "one certificate is for every name"
  }

  assert {
    condition     = { for name, record in aws_route53_record.validation : name => record.name } == { "shop.example.com" = "_1.shop.example.com", "www.example.com" = "_2.www.example.com" }
    error_message = "a name and its wildcard are proved by one record"
  }

  assert {
    condition     = aws_route53_record.validation["www.example.com"].records == toset(["_2.acm.example"]) && aws_route53_record.validation["www.example.com"].type == "CNAME"
    error_message = "the record says what ACM wants to see"
  }

  assert {
    condition     = aws_lb_listener.https[0].certificate_arn == aws_acm_certificate_validation.this[0].certificate_arn
    error_message = "the listener waits until the certificate is proved"
  }

  assert {
    condition     = keys(aws_route53_record.alias) == ["*.shop.example.com", "shop.example.com", "www.example.com"] && aws_route53_record.alias["shop.example.com"].alias[0].name == "shop-stg.elb.example.com"
    error_message = "every name leads to the load balancer"
  }

  assert {
    condition     = output.url == "https://shop.example.com"
    error_message = "the first name is the application's"
  }
}

run "a_zone_and_a_certificate_give_records_alone" {
  command = plan

  variables {
    certificate_arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/1"
    dns             = { zone_id = "Z0123456789", names = ["shop.example.com"] }
  }

  assert {
    condition     = length(aws_acm_certificate.this) == 0 && length(aws_route53_record.validation) == 0 && keys(aws_route53_record.alias) == ["shop.example.com"]
    error_message = "the certificate that is there already is taken"
  }
}

run "access_logs_have_a_bucket_that_only_the_load_balancer_writes" {
  command = apply

  variables {
    access_logs = { retention_days = 30 }
  }

  assert {
    condition     = aws_lb.this.access_logs[0].enabled && output.access_log_bucket == "shop-stg-access-logs-111111111111"
    error_message = "the bucket is the account's own"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.access_logs["this"].rule[0].expiration[0].days == 30
    error_message = "a log is forgotten as asked"
  }

  assert {
    condition     = data.aws_iam_policy_document.access_logs["this"].statement[0].resources == toset(["arn:aws:s3:::shop-stg-access-logs-111111111111/AWSLogs/111111111111/*"])
    error_message = "it is written where load balancers of this account write"
  }

  assert {
    condition     = one(data.aws_iam_policy_document.access_logs["this"].statement[0].principals).identifiers == toset(["logdelivery.elasticloadbalancing.amazonaws.com"])
    error_message = "by the load balancers' delivery alone"
  }

  assert {
    condition     = one(data.aws_iam_policy_document.access_logs["this"].statement[0].condition).values == tolist(["arn:aws:elasticloadbalancing:*:111111111111:loadbalancer/*"])
    error_message = "for this account alone"
  }

  assert {
    condition     = data.aws_iam_policy_document.access_logs["this"].statement[1].effect == "Deny" && one(data.aws_iam_policy_document.access_logs["this"].statement[1].condition).variable == "aws:SecureTransport"
    error_message = "nobody comes without TLS"
  }

  assert {
    condition     = alltrue([for setting in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] : aws_s3_bucket_public_access_block.access_logs["this"][setting]])
    error_message = "nothing of it is public"
  }

  assert {
    condition     = !aws_s3_bucket.access_logs["this"].force_destroy
    error_message = "a destroy does not take protected logs along"
  }
}

run "a_blue_green_default_has_two_groups_and_a_listener_of_its_own" {
  command = apply

  variables {
    certificate_arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/1"
    test_listener   = { clients = ["203.0.113.0/24"] }

    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 7
        health_check                 = { path = "/healthz", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        blue_green                   = true
      }
    }
  }

  assert {
    condition     = { for key, group in aws_lb_target_group.this : key => group.name } == { "web" = "shop-stg-web-80", "web/green" = "shop-stg-web-80-g" }
    error_message = "the second group is named after the first"
  }

  assert {
    condition     = aws_lb_listener.swapped[0].port == 443 && aws_lb_listener.http[0].default_action[0].type == "redirect" && length(aws_lb_listener.https) == 0
    error_message = "port 443 is a deployment's, port 80 still redirects"
  }

  assert {
    condition     = aws_lb_listener.test[0].port == 8443 && aws_lb_listener.test[0].protocol == "HTTPS"
    error_message = "the test listener speaks as the other one does"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.public["test-203.0.113.0/24"].from_port == 8443
    error_message = "only those who test see what is not released"
  }

  assert {
    condition     = output.target_group_names == { web = ["shop-stg-web-80", "shop-stg-web-80-g"] } && keys(output.green_target_groups) == ["web"] && keys(output.target_groups) == ["web"]
    error_message = "a deployment learns of both groups"
  }

  assert {
    condition     = output.listener == aws_lb_listener.swapped[0].arn && output.test_listener == aws_lb_listener.test[0].arn
    error_message = "and of both listeners"
  }
}

run "a_blue_green_default_without_a_certificate_is_on_port_80" {
  command = plan

  variables {
    targets = {
      web = {
        port                         = 80
        deregistration_delay_seconds = 7
        health_check                 = { path = "/healthz", matcher = "200", interval_seconds = 10, timeout_seconds = 5, healthy_threshold = 2, unhealthy_threshold = 3 }
        blue_green                   = true
      }
    }
  }

  assert {
    condition     = aws_lb_listener.swapped[0].port == 80 && aws_lb_listener.swapped[0].protocol == "HTTP" && length(aws_lb_listener.http) == 0
    error_message = "one listener on port 80, a deployment's"
  }
}

run "a_blue_green_route_has_a_rule_on_both_listeners" {
  command = apply

  variables {
    test_listener = { port = 8080, clients = ["203.0.113.0/24"] }

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
        blue_green                   = true
      }
    }
  }

  assert {
    condition     = keys(aws_lb_listener_rule.swapped) == ["api", "api/test"] && length(aws_lb_listener_rule.this) == 0
    error_message = "its rules are a deployment's"
  }

  assert {
    condition     = aws_lb_listener_rule.swapped["api/test"].listener_arn == aws_lb_listener.test[0].arn && aws_lb_listener_rule.swapped["api/test"].action[0].target_group_arn == aws_lb_target_group.this["api"].arn
    error_message = "on the test listener too"
  }

  assert {
    condition     = length(aws_lb_listener.swapped) == 0 && length(aws_lb_listener.http) == 1
    error_message = "the default is Terraform's"
  }
}

run "clients_a_firewall_and_patience_as_said" {
  command = plan

  variables {
    clients              = ["203.0.113.0/24", "198.51.100.7/32"]
    web_acl_arn          = "arn:aws:wafv2:ap-northeast-1:111111111111:regional/webacl/shop/1"
    idle_timeout_seconds = 120
  }

  assert {
    condition     = toset(values(aws_vpc_security_group_ingress_rule.public)[*].cidr_ipv4) == toset(["203.0.113.0/24", "198.51.100.7/32"])
    error_message = "nobody else comes in"
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this[0].web_acl_arn == "arn:aws:wafv2:ap-northeast-1:111111111111:regional/webacl/shop/1" && aws_lb.this.idle_timeout == 120
    error_message = "every request is judged; a connection may be silent for two minutes"
  }
}
