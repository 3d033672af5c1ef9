<?php require __DIR__ . '/user.php'; ?>
<!doctype html>
<html <?php language_attributes(); ?>>
<head><meta charset="utf-8"><?php wp_head(); ?></head>
<body>
<h1>Hello <?php echo esc_html($user ?? 'nobody'); ?></h1>
<?php while (have_posts()) { the_post(); the_title('<h2>', '</h2>'); the_content(); } ?>
<a href="<?php echo esc_url(home_url('/')); ?>">Home</a>
<?php wp_footer(); ?>
</body>
</html>
