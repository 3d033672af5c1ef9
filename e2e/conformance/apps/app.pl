#!/usr/bin/perl
# An app for CGI: uploads, and lines of which nobody knows how many come.
use strict;
use warnings;
use Digest::SHA;

my ($path) = split /\?/, $ENV{REQUEST_URI};
if ($path eq '/chunked') {
    print "Content-Type: text/plain\r\n\r\n";
    print "line $_\n" for 0 .. 999;
    exit;
}
if ($path eq '/echo') {
    my ($n) = $ENV{QUERY_STRING} =~ /n=(.*)/;
    print "Content-Type: text/plain\r\n\r\n$n";
    exit;
}
my ($hash, $size) = (Digest::SHA->new(256), 0);
while (my $n = sysread(STDIN, my $part, 65536)) {
    $hash->add($part);
    $size += $n;
}
print "Content-Type: text/plain\r\n\r\n", $hash->hexdigest, " $size";
