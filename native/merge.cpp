#include "merge.hpp"

namespace chromapress {
namespace {

Histogram merge_two(const HistogramView& a, const HistogramView& b) {
  Histogram sum;
  sum.colors.reserve(a.colors.size() + b.colors.size());
  sum.counts.reserve(a.colors.size() + b.colors.size());
  std::size_t i = 0, j = 0;
  while (i < a.colors.size() || j < b.colors.size()) {
    const bool take_a = j == b.colors.size() || (i < a.colors.size() && a.colors[i] <= b.colors[j]);
    const bool take_b = i == a.colors.size() || (j < b.colors.size() && b.colors[j] <= a.colors[i]);
    sum.colors.push_back(take_a ? a.colors[i] : b.colors[j]);
    sum.counts.push_back((take_a ? a.counts[i] : 0) + (take_b ? b.counts[j] : 0));
    i += take_a ? 1 : 0;
    j += take_b ? 1 : 0;
  }
  return sum;
}

}  // namespace

Histogram merge(std::span<const HistogramView> histograms) {
  if (histograms.empty()) return {};
  if (histograms.size() == 1) {
    return {{histograms[0].colors.begin(), histograms[0].colors.end()},
            {histograms[0].counts.begin(), histograms[0].counts.end()}};
  }
  const std::size_t half = histograms.size() / 2;
  const Histogram a = merge(histograms.first(half)), b = merge(histograms.subspan(half));
  Histogram sum = merge_two({a.colors, a.counts}, {b.colors, b.counts});
  validate({sum.colors, sum.counts});
  return sum;
}

}  // namespace chromapress
