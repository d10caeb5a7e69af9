// What the core computes from an image on standard input, as bytes on standard output: how tests/engine/test_core.py
// compares the portable build, under sanitizers, with the module that chooses its instructions at run time.
//
//     compute WIDTH HEIGHT CHANNELS K COLOR_SPACE THREADS
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "curve.hpp"
#include "map.hpp"
#include "quality.hpp"

using namespace chromapress;

namespace {

template <typename Rows>
void write(const Rows& rows) {
  std::fwrite(rows.data(), sizeof rows[0], rows.size(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 64;
  const auto number = [argv](int i) { return static_cast<std::size_t>(std::strtoul(argv[i], nullptr, 10)); };
  const std::size_t width = number(1), height = number(2), channels = number(3), k = number(4), threads = number(6);
  const ColorSpace space = std::string_view(argv[5]) == "oklab" ? ColorSpace::oklab : ColorSpace::srgb;
  std::vector<std::uint8_t> data(width * height * channels);
  if (std::fread(data.data(), 1, data.size(), stdin) != data.size()) return 66;
  const Pixels pixels{data, width, height, channels};
  const Histogram h = histogram(pixels, threads);
  write(h.colors);
  write(h.counts);
  KMeansOptions options{.start = {}, .protected_colors = {}, .space = space, .max_iterations = {}, .threads = threads};
  const std::vector<ScoredClustering> scored = Curve({h.colors, h.counts}, options).scored({&k, 1}, threads);
  const Clustering& c = scored[0].clustering;
  write(c.centres);
  write(c.labels);
  std::vector<Rgba> palette;
  for (const Point& p : c.centres) palette.push_back(to_straight(p));
  const std::vector<std::uint8_t> map = map_pixels(pixels, palette, space, 0, threads);
  write(map);
  write(map_pixels(pixels, palette, space, 0.7));
  std::vector<std::uint8_t> mapped;
  for (const std::uint8_t i : map) {
    mapped.insert(mapped.end(), {palette[i].r, palette[i].g, palette[i].b});
    if (channels == 4) mapped.push_back(palette[i].a);
  }
  const Pixels got{mapped, width, height, channels};
  write(std::vector<double>{scored[0].silhouette, scored[0].error, psnr(pixels, got), ssim(pixels, got)});
  return 0;
}
