<?php
// The test's WordPress asks nobody for updates, and not itself either.
add_filter('pre_http_request', fn() => new WP_Error('offline', 'no network in tests'));
add_filter('pre_wp_mail', '__return_true');
