// The language that a visitor chooses is kept in a cookie of this page, which the server reads.
// Before this script stands `cookie`, its name. Within another site's frame only a partitioned
// cookie is kept.
element.addEventListener('change', (event) => {
  if (!event.target.matches('.language select')) return;
  const scope = location.protocol === 'https:' ? 'SameSite=None; Secure; Partitioned' : 'SameSite=Lax';
  document.cookie = `${cookie}=${event.target.value}; Path=/; Max-Age=31536000; ${scope}`;
  location.reload();
});
