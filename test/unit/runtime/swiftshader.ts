/** Finds SwiftShader, a Vulkan driver in software that makes the WebGPU provider testable without a GPU. */
import { existsSync } from 'node:fs';

const beside = ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/opt/google/chrome', '/usr/lib/chromium-browser'];

/** Environment for a child process whose only WebGPU adapter is SwiftShader. */
export function swiftShaderEnvironment(): NodeJS.ProcessEnv {
  const named = process.env.WAGGLE_SWIFTSHADER_ICD;
  const icd = [...(named ? [named] : []), ...beside.map((folder) => `${folder}/vk_swiftshader_icd.json`)].find((path) =>
    existsSync(path),
  );
  if (icd === undefined) {
    throw new Error(
      'SwiftShader was not found: install the packages chromium and libvulkan1 (Debian, Ubuntu), or set WAGGLE_SWIFTSHADER_ICD to the path of a vk_swiftshader_icd.json',
    );
  }
  return { ...process.env, VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd, XDG_RUNTIME_DIR: '/tmp' };
}

/** Environment for a child process without any Vulkan driver. */
export function noGpuEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    VK_ICD_FILENAMES: '/nonexistent.json',
    VK_DRIVER_FILES: '/nonexistent.json',
    XDG_RUNTIME_DIR: '/tmp',
  };
}
