use strict;
use HTTP::Tiny;

my $client = HTTP::Tiny->new(keep_alive => 1);
for my $n (0 .. 4) {
    my @parts = ('{"n": ', "$n}");
    my $content = $n < 3 ? join('', @parts) : sub { shift @parts };
    my $answer = $client->post($ARGV[0], { content => $content });
    print "$answer->{status} $answer->{content}\n";
}
