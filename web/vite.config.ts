import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The API lives beneath /api of the page's own origin, here as on CloudFront; `make up` answers both.
const API = process.env.API_URL ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/api": API, "/config.json": API } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows files of our own, not data in their place
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
