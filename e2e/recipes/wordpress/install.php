<?php
// Sets WordPress up as its five-minute installation does.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'app.provider.com';
require 'wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Recipe', 'editor', 'editor@provider.com', true, '', 'only-for-a-test');
switch_theme('recipe');
update_option('permalink_structure', $argv[1] ?? '');
flush_rewrite_rules();
wp_insert_post(['post_title' => 'Premium', 'post_name' => 'premium', 'post_content' => 'What was paid for', 'post_status' => 'publish', 'post_type' => 'page']);
