import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appPage, externalLink, isAppPage, viewOfDeepLink, viewUrl } from '../../../src-main/electron/navigation.ts';

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

test('a link from another program can choose a view and nothing else', () => {
  assert.equal(viewOfDeepLink(['/opt/waggle', '--flag', 'waggle://leaderboard/']), 'leaderboard');
  assert.equal(viewOfDeepLink(['waggle:log']), 'log');
  for (const argument of [
    'waggle://nowhere',
    'waggle://log?x=1',
    'waggle://log/../home',
    'xwaggle://log',
    'waggle://LOG',
  ]) {
    assert.equal(viewOfDeepLink([argument]), null, argument);
  }
  assert.equal(viewUrl('rollouts'), 'app://waggle/index.html#/rollouts');
});
