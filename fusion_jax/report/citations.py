"""Works that a methods text cites, numbered at their first mention."""

# In the order in which they are numbered where all are cited.
REFERENCES = {
  'huang': 'Huang SC, Pareek A, Seyyedi S, Banerjee I, Lungren MP. Fusion of '
  'medical imaging and electronic health records using deep learning: a '
  'systematic review and implementation guidelines. npj Digital Medicine '
  '2020;3:136.',
  'efron': 'Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman '
  'and Hall, 1993.',
  'romano': 'Romano JP, Wolf M. Exact and approximate stepdown methods for '
  'multiple hypothesis testing. Journal of the American Statistical '
  'Association 2005;100:94-108.',
  'berger': 'Berger RL. Multiparameter hypothesis testing and acceptance '
  'sampling. Technometrics 1982;24:295-300.',
  'schuirmann': 'Schuirmann DJ. A comparison of the two one-sided tests '
  'procedure and the power approach for assessing the equivalence of average '
  'bioavailability. Journal of Pharmacokinetics and Biopharmaceutics '
  '1987;15:657-680.',
  'delong': 'DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas '
  'under two or more correlated receiver operating characteristic curves: a '
  'nonparametric approach. Biometrics 1988;44:837-845.',
  'nadeau': 'Nadeau C, Bengio Y. Inference for the generalization error. '
  'Machine Learning 2003;52:239-281.',
  'hessel': 'Hessel J, Lee L. Does my multimodal model learn cross-modal '
  "interactions? It's harder to tell than you might think! Proceedings of "
  'EMNLP 2020:861-877.',
  'shapley': 'Shapley LS. A value for n-person games. In: Contributions to the '
  'Theory of Games II. Princeton University Press, 1953:307-317.',
  'castro': 'Castro J, Gómez D, Tejada J. Polynomial calculation of the '
  'Shapley value based on sampling. Computers & Operations Research '
  '2009;36:1726-1730.',
  'vickers': 'Vickers AJ, Elkin EB. Decision curve analysis: a novel method '
  'for evaluating prediction models. Medical Decision Making 2006;26:565-574.',
  'guo': 'Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern '
  'neural networks. Proceedings of ICML, PMLR 2017;70:1321-1330.',
  'platt': 'Platt J. Probabilistic outputs for support vector machines and '
  'comparisons to regularized likelihood methods. In: Advances in Large Margin '
  'Classifiers. MIT Press, 1999:61-74.',
  'zadrozny': 'Zadrozny B, Elkan C. Transforming classifier scores into '
  'accurate multiclass probability estimates. Proceedings of KDD 2002:694-699.',
  'hardt': 'Hardt M, Price E, Srebro N. Equality of opportunity in supervised '
  'learning. Advances in Neural Information Processing Systems '
  '2016;29:3315-3323.',
  'collins': 'Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: '
  'updated guidance for reporting clinical prediction models that use '
  'regression or machine learning methods. BMJ 2024;385:e078378.',
}


class Writer:
  """Collects paragraphs and numbers what they cite, in order.

  Attributes:
    paragraphs: those added so far.
  """

  def __init__(self):
    self.paragraphs: list[str] = []
    self._cited: list[str] = []

  def cite(self, *keys: str) -> str:
    """`[1,2]` for references, numbered at their first mention."""
    for key in keys:
      if key not in self._cited:
        self._cited.append(key)
    return '[{}]'.format(','.join(str(self._cited.index(k) + 1) for k in keys))

  def add(self, *sentences: str) -> None:
    """One paragraph of those sentences that are not empty."""
    self.paragraphs.append(' '.join(x for x in sentences if x))

  def references(self) -> list[str]:
    """What was cited, as numbered lines."""
    return [
      f'{i}. {REFERENCES[key]}' for i, key in enumerate(self._cited, start=1)
    ]
