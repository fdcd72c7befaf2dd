import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { appPage, externalLink, isAppPage, pageOfDeepLink, viewUrl } from '../../../src-main/electron/navigation.ts';
import { inviteLink } from '../../renderer/fake-swarms.ts';

test('only our own page counts as our own page', () => {
  for (const url of [appPage, 'app://waggle/assets/a.js', viewUrl('leaderboard')])
    assert.equal(isAppPage(url), true, url);
  const foreign = [
    '',
    'not a url',
    'https://waggle/index.html',
    'app://other/index.html',
    'app://waggle.evil.example/index.html',
    'app://waggle:80/index.html',
    'app://user@waggle/index.html',
    'file:///index.html',
    'javascript:alert(1)',
    'data:text/html,app://waggle/',
    'about:blank',
  ];
  for (const url of foreign) assert.equal(isAppPage(url), false, url);
});

test('web links open only over https, on listed hosts, without credentials or ports', () => {
  assert.equal(externalLink('https://github.com/a/b?c#d'), 'https://github.com/a/b?c#d');
  assert.equal(externalLink('https://arxiv.org/abs/2509.08721'), 'https://arxiv.org/abs/2509.08721');
  const refused = [
    'http://github.com/',
    'https://github.com.evil.example/',
    'https://evil.example/https://github.com/',
    'https://user:secret@github.com/',
    'https://github.com:8443/',
    'https://sub.github.com/',
    'file:///etc/passwd',
    'smb://github.com/share',
    'ms-settings:privacy',
    'javascript:alert(1)',
    'nonsense',
  ];
  for (const url of refused) assert.equal(externalLink(url), null, url);
});

test('a link from another program can choose a view or show an invite, and nothing else', () => {
  const page = (view: string) => `app://waggle/index.html#/${view}`;
  assert.equal(pageOfDeepLink(['/opt/waggle', '--flag', 'waggle://leaderboard/']), page('leaderboard'));
  assert.equal(pageOfDeepLink(['waggle:log']), page('log'));
  assert.equal(viewUrl('rollouts'), page('rollouts'));
  for (const argument of [
    'waggle://nowhere',
    'waggle://log?x=1',
    'waggle://log/../home',
    'xwaggle://log',
    'waggle://LOG',
    '',
  ])
    assert.equal(pageOfDeepLink([argument]), null, argument);
});

test('an invite reaches the page as what it is: one encoded text that the page shows and does not join', () => {
  const link = inviteLink();
  const opened = pageOfDeepLink(['/opt/waggle', '--no-sandbox', link]);
  assert.ok(opened !== null && isAppPage(opened));
  const [view, query] = new URL(opened).hash.split('?');
  assert.deepEqual([view, [...new URLSearchParams(query)]], ['#/swarm', [['join', link]]]);
  assert.equal(pageOfDeepLink([`${link}/`]), opened);
  assert.equal(pageOfDeepLink([link.replace('waggle://join', 'WAGGLE://Join')]), opened);
  for (const hostile of [
    'waggle://join/',
    'waggle://join/a b',
    'waggle://join/abc?join=other',
    'waggle://join/abc#/home',
    'waggle://join/../../etc/passwd',
    'waggle://join/%22onload=alert(1)',
    'waggle://join/abc\n--remote-debugging-port=1',
    'waggle://join@evil.example/abc',
    'waggle://evil.example/join/abc',
    'javascript:waggle://join/abc',
    `waggle://join/${'A'.repeat(2_000)}`,
    'waggle://join/\u202eabc',
  ])
    assert.equal(pageOfDeepLink([hostile]), null, hostile);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const page = pageOfDeepLink([text, `waggle://join/${text}`]);
      assert.ok(page === null || isAppPage(page));
    }),
  );
});
