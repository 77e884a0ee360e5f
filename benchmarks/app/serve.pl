# Answers every request with the commit, once it has taken as long to start as it should. Perl is in every Debian image;
# process 1 ends on SIGTERM only when it says so.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{TERM} = sub { exit 0 };
open my $file, "<", "/start-seconds" or die "no /start-seconds: $!";
select undef, undef, undef, <$file>;
my $server = IO::Socket::INET->new( LocalPort => 8080, Listen => 64, ReuseAddr => 1 ) or die "cannot listen: $!";
while (1) {
    my $client = $server->accept or next;
    while ( defined( my $line = <$client> ) ) { last if $line eq "\r\n" }
    my $body = "$ENV{COMMIT}\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Length: ", length $body, "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
