#!/usr/bin/perl
# Records every request that a server hands over by CGI. The kit puts in the file's name.
use strict;

sub text {
    my $s = shift;
    $s =~ s/([^ !#-\[\]-~])/sprintf('\\u%04x', ord $1)/ge;
    return "\"$s\"";
}

read(STDIN, my $body, $ENV{CONTENT_LENGTH} || 0);
my @vars = map { '[' . text($_) . ',' . text($ENV{$_}) . ']' } grep { /^(REDIRECT_)?(HTTP|CONTENT)_/ } sort keys %ENV;
open(my $out, '>>', '@RECORD@') or die $!;
syswrite($out, '{"method":' . text($ENV{REQUEST_METHOD}) . ',"target":' . text($ENV{REQUEST_URI}) . ',"vars":[' . join(',', @vars) . '],"body":' . text($body) . "}\n");
print "Content-Type: text/plain\r\n\r\nok";
