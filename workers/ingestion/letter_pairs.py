"""Which pairs of letters are frequent in a language, and which characters in East Asian texts.

Counted in the translations of free programs; a blank is the edge of a word. The most frequent come first, which is all
that is told of them: frequencies fall alike in all languages.
"""

from typing import Final

#: By language: its most frequent pairs, one after the other, and its letters beyond ASCII.
LANGUAGES: Final[dict[str, tuple[str, str]]] = {
    "English": (
        (
            "e t s in td n re s aeron i cr orte oth fatantileed nheenessestng dalnoo  r parcoioistoy  b mg ntecot eit"
            "lia dendmeil wta lctraca ufiouromal peforichsineusnaf asgeunetveh nsutloladieaofpaachabetrexicelamssabad"
            "prceomhivallblulolopemidur hrtm  g vpoaiumwiagmoncowocupmini kryigrssudakeifplckdorrshp baptirldk ieluef"
            "tsgiiaspimmbfannhotysac mpppoduesow warmx pucrlyboapnvrnmuruaui tuivcignltbuepegwhayguvinuosqueesyzergov"
            "iprdizyprcmmcuu ogxpgreynkttkafrbib  ygascweooobuiclnfbyfeevibffxtxiddubavdswoyouanlpikitcduequcewwnym x"
        ),
        "",
    ),
    "Spanish": (
        (
            "e o a de d es n enes sarerr  p cl rera ldola aciel nnocoseorntteonadtainalosstcaónictoióueroectiacda r u"
            "astrlipanaunlo f t ineanid msiiorimafilepo odimeomndmipequispuceit vchediencctetpria bamsosaativabblemmb"
            "irmompspopnivaveusvoolbiimea hccrmexegocrrbrnssucut rtzarcguy uascifplur qgiheigllha gutilhitubacrodibob"
            " yvibejeipiztáclumfaálefd rultuirsuludváá fofuebotbogrrdgageavpcó luepubnfngínnvapi goucrgevráfexiuplínu"
            "x duajagmáejmuaypib xtnújop aueeímañúm xbubjazrnrvogñoxpáneqódlósíshólíah eug pthocóaqáseof c gnm ñajaró"
        ),
        "óáíúéñ",
    ),
    "Portuguese": (
        (
            "o a e  ddes  adoar e pesr ra c serãoteco nadre oeninosntm ordataal fcapalisemapo imestemroicason mtoriom"
            " tve ufitiançãquecl trelidumis rno lirnanãloprssdindciimaçpeiaiomola vfoamatitmpeisaivhasovoex betuinhne"
            "ocvachhelesiacu spniueoucehoilncrrusurodlhrmé ut qmisuopív énsguuasírtolfaigizscgeefiftuapctaiviabrqõeza"
            "i crlt gcusãt egotavaounplnvçõá upbauláloievobagárgredbi hipvágambrspçfeepbrovrgnfgin clbeeçtáibxiçaxtlu"
            "içídearnborup órpib nuránúx rãbld úmdrngjagordxeçoauaíbutóixdu jogazmug rv xnçz xpênc zegnk ieávcçmáhuní"
        ),
        "ãçáíéóõúêâàô",
    ),
    "French": (
        (
            "e  ds  ldeesleonr t n  preertien a s cnt eurteanioa inoula n icochlinepaisatsttru sepol fi uarme rnseu t"
            "iealutqu morue fraitsiasunveicctd réta oriecmasscendomilauet vé nopeéeaiblirroemprdémpacdudancgerssa bhe"
            "hirtimécvacasunndi éoii érniexlosoagusà igllrreltoifopna àiqibpldohami gidosc motétsttnégnfouiavocivodmm"
            "abppffolx upulséapciamêtrmétnungmbcrtuéfguspésuvcuéppt qo bagim péuciaumbonvotp mélupurcfa hlé êrgclvivo"
            "gradafsydrémnfbrobgaz hotyezbif egypélrnruxitèuxeavé jrdèrjopi kxtuaepbuthefipogjervg mugéaqymb iéltédué"
        ),
        "éàèêôîçâáïùûí",
    ),
    "German": (
        (
            "n enere t chteeide dr inge aiebe ss stunic eesreannd nnglenetionisni w iat ksent f vscit bhtelweheaualze"
            "rtrd udadi zar mveet gd nnigsimehlorm felillltusg  ph tasszul raabiokersfüri oehvour lkoastzmikanala tns"
            "ufempaimruumhaürhrma rwiktebamnupreg hi olilsptrodpef akrotsefrwirmmutrnacgrfolsnzckopomu tugargrzekag c"
            "bankttgiülhiwabidufiexrbänedhngüsofanfeuueztrmlogtk ptectogusgsua üsadibnoübgsucsapobl ücorfoblgp ifuglu"
            "rüffivrhfulünbldziubb mpahthgliksyulotrcrkosmorltyfrypmuwuo x eebrßeepbufthooctüeapfgnviiajeuprrdridplsh"
        ),
        "üäöß",
    ),
    "Italian": (
        (
            "e a o i  donre ier s cdil ton tainneatleri n pilconoiodete aenelesntorst laltilaliarrallmesisepo e rziic"
            "cassfi uunit fimanropena tlo mttosmatrchso visomnimpr  ovebiiaetndutprdaolscvacit azsugisapaamecè ce èeg"
            "ibusdohemoasviiz gspmi bifrrhizaopagemggirurgeidieocivpuigzzabacrtotqungccodpptuncrmnsulueiunugu qcruaip"
            "rsavovd fovoltnzgaupuipibaedapy eveauoogcuei hgoumplà glrcberngrnnefezrgmmduhambgng nfblfalurdadryaus h "
            "ferumurvtàckctboepfupzu clouk ghaip shbuffc brò bbx uòebnvobm ù  wuz x kkefrtpnpiùubzevuudzohofloiofb f "
        ),
        "èàòùéáì",
    ),
    "Dutch": (
        (
            "n ene t ergedean vteetins  d oaaeeiestelr  gnd ireve aor bond  t nta eeslear sberdiskeal mchijngheva hoo"
            "ti wvonimeuiopatoediitntmal lig  p kegroscnaigtoekneriraevse lnsbrm rsk p akldomebpa rpelaruwof wallik c"
            "am zei udakacoachtweoulsofecdoslprolwizebisigrrtziema utkttrhaidkotsepicedctaplodteu ffoptbaefrgssmomium"
            "luasunadhohiogurezrwafovocttodagcegijdrkotkknocajnh dsmmuwppjknvtuj gsksilfinuusboabviimukbliazodrhunkrm"
            "plsolto gusypiulgatvrvduu aupoexftrbciosudtwspehnchrublkrnnneanbshifbuypokthewsaklmpnfpuiraityrcioi kijz"
        ),
        "ëéïóä",
    ),
    "Swedish": (
        (
            "r ern int a teen se  i fde aanarstratanttindllatng kd s et töril ekare mföl ttel oän dleg me pom vonorad"
            "naalskärdaislarinsig bvänikogefiktmase rm liutck hve las n ues äneioedi trvasaavgaamkev un gpagiivitltvi"
            "rtakogå ekslrdchk sommloppssnvrsidtorosiolnnocbetspålägrfepehagsagrnprmnkrräopälh ycumlumibaggp rukuånhe"
            "execpodifrupemurdreftyiknkabokgtrådsboaprvfltäegknrmfotu ölsnfodrksyotnompx spcenyåtplöv cbliclymåägulät"
            "säypkäålgnielådutökiytvsjeåsosuslnnuökobmobitnrlifmbdosnämimldguymacehrgdnryödklljäshågoftsöddu hi xlkby"
        ),
        "äöå",
    ),
    "Danish": (
        (
            "ere r t enden  f sre iinteet andkest etil leilor tanelg nggeve k dsk ms kkmeatik bedsetaalfo uesd ne o v"
            " pliriigarkantllisomonfiaf nun hiv li m dikoogmaruvinsraugk lsf ldrs gttnitrlaekpremudbrsidskrpe rrta na"
            "olsoaddaroærmmopbeiojeloå feørktegvadtrdtoidgsakavamagkuginngtejgnvæksænrkblvnslhegrasv ltitpapålgoddrrn"
            "ylssmicefrulgyifsajlutefftlæumnkhaglkisyøgb rænusphvrmovdltøokpo choføtylup urpprvflsnapusbiabtubaganouk"
            "duieddnønjo bosæypdvætdompu moæsfsimplmbx evrrrgnfuefaealypuælguobtsykehøjryytpisfirérys xiaymicepbuydsu"
        ),
        "æøåé",
    ),
    "Norwegian": (
        (
            "ere r t en sn te f iin ereetkedeilstl g lekkorel aarik t kting m vmealanvetanett bndllsefo ps  d osk uom"
            "å rtrigeaveslaa atlintisje ld  nnnigkam  hi edv fippdiutonrumakoravivak ldsoukopbrassieinalgpeek gognskr"
            "trun ådaørivfekskjpå rklrsrdprmmsstoamolegslpaaklsroloidgrktitjosjheemylgndubedrapblgyøksarkhanimiføugvn"
            "ltaggsumlufroktskigtrmusnøulrnbahvifnku rgytadodnjgjtøurhogip ovfanokuefspgadoietunyggevirsypomobio osty"
            "pinuialyplabykobmåftimrrryvsbodlårmpdsnfærflypknsvjøehgufusfupøybubyepotptddnly psrårvpu c jlåsuglsnlkau"
        ),
        "åøæâé",
    ),
    "Finnish": (
        (
            "n a eni tastinistt tteit ktu vetä liti oon s ellvasitoe eltäko lalosoileseeianneaaaieesa p aolt lavierki"
            " mrimiatusssmeääntiro ariekakennniytkämaimots asluesiidoty nkujaunäyiluuu  jloutakksmäkkuoikohheediajode"
            "säek rraukavulvoemnarhpiroälauänpahtrkmuivärsodireamiopäuisujeväopsksyorod h ypulätsomjäokäinäveumäsrjtö"
            "lty nuuenoätlkdapphd bym uooyspe ihanklmurnspoyhepijmbyy dnduvrvkyoabouaämidx rtykapb ynhkojäomovuylyöaj"
            " xyphjräiäevudipmmr c iheaovehrr frsprö kttkadöteuön chip lyävael mpd  gtrlönyahähbirglvspnghusmujösöygu"
        ),
        "äöšž",
    ),
    "Icelandic": (
        (
            "a r  si skð t inar est t meraniðtand an urngka l hl ilti v f brikinaendiunaðalleratuvenn gla nireinigait"
            "kkldlins kjaálorg á ísres ekumesvimáelmam u etmiseamllttmesa ágidad  pguluktafynkrðu þðaí knrðrsisegmy í"
            "atgeák uráeyk tálýrthaðinenurk rýðbaðvte oasfihevanmkuríbremslíappeðauntfo iakusfasítronno d óefpaþeyrag"
            "sigruðsskefrhlikltflínutkobif tíbekjabggulvæfyyfpuugnílssnlíe  úruotrúó ærsutæöldugtogpræðjáapsvmbílhæft"
            "bííkgl jytðsjórrvírn yigupægöglájötnóðrlhvútnlifmofumsadljúno ddtógnipósrmfn cdíkstsnútölyklásblgjgsnýex"
        ),
        "ðáíóæúýöþéëè",
    ),
    "Polish": (
        (
            "niiee a  pan n wnai o y st zow spoczwa dzau  oenliprwyiarazerzodkowita k mw zynyne uć ikt dokaonroki ber"
            "cijech tarales jmior aaktomotygoawreis iszinskz acdaycnolaówcjatm egleh maekzn rte lpiweej ck j ięplaslo"
            "osożtramokomśckuiojaemymetceopntobę dzło gdntuusżnolpaazadsiytośmeącluą zwsud zoziicelozwołaużałkrżylnez"
            "ryjiaćn umajecysywogdeocłąs seedbiktżertr sywnślujungiruucapjądłotklfiróbłgugaędtkbyagbrzmepidyćypiw fit"
            "baykyjtwądtómueśeżursab grłuspksdlnd ecywsubsopuśćewdrfoęcrsyścabokópcabbermdypeutjśblkcnuugsłybyftęłętn"
        ),
        "łżąęśóćńź",
    ),
    "Czech": (
        (
            " pe  n sí o a st vpoovníu t neenna zroouy pratje kte a o jorpřnochtaloé ze dodelvai rakoseřeso máný m er"
            "toli bnálebohoesit tkaaliná vetulavácetian cvyzadonýskadarakreosobnéolazn k edv ubdnvýku udadeonvoavepuj"
            "acetslr  rčeřírumebaasntzniss oth řiekužamráů eztrl tnávačupáz ižiokmaklemozd  hcíísicebybpl čikomhykyěn"
            "oživlzlíktkázoádbymoměutpiněnievtynudríclnypecvnz píkéíkátčí lpa fsaálvébržesp řě burimáabapítýcšemudkop"
            "očcifiimnyexckjíládávětídpudímumzáushlmijaejíčdiémzíajéhylvilup suč ínahocpuduyttěmípeurfosyojulpnhakrji"
        ),
        "íářčéýžěšůúóňťď",
    ),
    "Slovak": (
        (
            "e a  p s novpr vo poieen znastreneoru ni ať jean ovay iatokoé ý rorariodv  m kboloi tanénánýá alad t jch"
            "sate dkanolazoakerveincivoho rmeob bsúm attilearedlituesk osolr omdoazokvyzadaiťbaonskujdeúbavtr uamči č"
            "asrát moouí aťož cepzndnač ikuotnt hetozupžiitvýtnmiktázužkyh plisáveľdislacbrebkás ruú mámaikajspviníek"
            "l átelísnu fseceicžnácčavnzipaurčíybočíkdrexbyhyd álívéhčeemrítvj  šahbusopiz árilľalnejtyapn imzáidjúyp"
            "ocštp utny loplác sťficoecfopernmupíkrsyýcdkpuojckhausndkldpzvoľbeezrmžezeumpnlyvédárčukunknblduvázdkc e"
        ),
        "áčíýéťúžľšóôňäĺď",
    ),
    "Hungarian": (
        (
            "a  aelt sz ks k leenet másmen z teat e negl  f sálése  hnei eraltá thagym azeztaítorcsolemreak vlain lny"
            "anessosa braérkevattntarkatéltekó rtasbetozey vell éonr majekiseokájyezáoz cárjlisheag paplág ikköfáő én"
            "kofeos iadlilynisstiánnanábaotzthofotóndmálékéhiváátüllósiomncziroséznumgerágavézédesálm régzaultujamist"
            "ilamdo gél jogus áitsílíéplo dzorikuib oámd írzőpanétrktpoehda zéttömogormbiékabözpclhiglvyorvörv b ngpe"
            "ciméevuttőévbbimvilőtkövej ulsódókprágtvaiytiópéönp edmbiarüthnolkkkblldréeátíívtlvoidopdibáljyaölgjnkzó"
        ),
        "áéíóöőüúű",
    ),
    "Romanian": (
        (
            "e reă  da  stedear ai  cer patt ineau  nntulstl un f eenrilifitrieţiornualesnetaleruectin seca i lmeicr "
            "railpetăimut îcoac melînluniitcuceşi tloiumaoaonla odi utuprsict ruiuranpoetumtocăciro vişzăvaisocazdave"
            "irchndnas paiasuărmpsc bizfosapuexmiiiopaţbiold o asemnc grăivspifzaaurmheeposomeirtideşcrsănsplnocţ şhi"
            "upipmoptmbiogiabştc buodnăaplăp măegrsadgeotamduezafmufeevdob viltibaipţnţeduablziguzegrefâniţngx pirngă"
            "ătbanfm rcboebdăsoagfargusobajcâpăucigxtgaccăsubşedraşfuxivăouogclavţirv xeţşibeşamnnvfăţărd hvoxerh wşu"
        ),
        "ăâîşţ",
    ),
    "Croatian": (
        (
            "a e i je p sna nraanrestprniu  ipoijo enkata driko onetili k udajanozavaor znjatteavistoakinmemaos modik"
            "roekedov tlj vmo jskog aem b ritvearciomlam kiimojazonalotsaseeladtrt ajirizjun erkevietivlo ldospvrvodn"
            "amicdint gzns ilčioznuokpiguj k dresdegrleusr bikuziopbaoličačćed slg jipaacklevobsivnasbruputapmirusukr"
            "unešučućtuezabčecabo ecevlišz  fksumsnrnh punsebštukzotvžauržersblktškržeđčaujžišind cihčkulpebeepaotnzv"
            "dufiećipsvšemjočgo ščntkgll rtgaugažv đeagfoožšaln čršćisopcmpzmidegecpljs hbungzusmluociormig ćgeubćazb"
        ),
        "čšćžđ",
    ),
    "Slovene": (
        (
            "a e i  pna no nipr sstrajeporeen vkaan dteno zne i ometizakoodveavtoikrilinjedjaov kdaat mv orloinosn ta"
            "evotalizljilt očmovaajseviekdoaksk b ael uarem t jčeisitogolroetazkečilapivngokideamdnimk  rm maleicbiir"
            "gavrerznobz voaptresomonpaj asokegu h upezsp livsad  gdilnabsls r adklčaejrsihmi šbropceijičjitnbontbliš"
            "usbazbdrsošibeštvssičnkuščtv čjul cagrumžnsnačrnpeipjoožepeč ehozpozc  cdpebkrzeahcizvrtškgumbdmujvzglzi"
            "rundžič rjkn fnsšeučženuzoešcoutvltuojbubnunzrtkidukecpurvb pkjnagežludvjsmnjtlkurg rgrddsighip ažošplzl"
        ),
        "čšž",
    ),
    "Turkish": (
        (
            "i n lar  berleı ar da anine en s i ama kyairdeilk  yri glialbinısimeamtandınekdiakrasıaynetiterıırdınida"
            "ol tlııl oemelu ge eulett reyoesoriçatklasçisa vizadnaişstkaçellm vedol basez ki çun heğyemiğiikkutıeços"
            " peyimrlisşlonsylmgiazşturhaışkelu mnumlruiyaş nbuokbe öş ıkktparmeditmınlürnmrdyıağ uceümldönkoımumrsün"
            "tuapcaabrtgöçaeş lbosoziduncıyü tüntçırü fızzaıs rzeşiğıutğecıgümukslütlacp uyşaahkıecsüşıs faciipzıiğ ş"
            "ltuşdüevaç cy  zç öryiüzükhezlöz üsuidlouzlgrkifnüıcd hiyüodf roğlvargığtmomngicöscuölğuo htyupıoğşmviyn"
        ),
        "ışçüğöâ",
    ),
    "Estonian": (
        (
            "e a i  vta kse sisstd mis lialtuatt  aaste pne tinlevadaus lri esiit oonidkaaiikelndimutanil merjamegan "
            "maolesentisuadudaaeel  nooeiviamkuvõetariiignikskoderasadiemuuu ki j flaärrefaväekk eantakõi rlobaedavna"
            "orb ab illirnuunkeälumheguldljmbõtjuulluegdugipolturperjgeuipa brorgäir pisüts üajvev prõnnn hruevtmmäng"
            "äätookogrvahümssiviamuagühtrhihtjettomotpujädmm  dubrdkkg rttükä ubosobibeodhasko p lõebioauosoeipktülho"
            "ugüüohäsõpüs gtälgnägnnormibrsgr õupvofipäklbrrrsõaemmopforknkukmoähõrpptõblkrielküpvuööaõoidolsuauhehtl"
        ),
        "äõüöšž",
    ),
    "Latvian": (
        (
            "s a ieu  p iasat a naisti t  k vta sesarnetiiz ldakaumra dpalajamava ttsnasaisotlir nointuetto rviksekan"
            "riauirenā ikpikoe ntm rāerkuo reak malītmsāsamtālojueionteaptīorētšadeēr bvē ursgaārusmeogādnāijos jkātr"
            "baurciniadlēēlrtemevslveilātēj fskprtntē gmēdzelseībdīrozvmāokitdiukunavktrunduzdonumiziīmfopāsizīkrz id"
            "ājmulāleklzmāllurī šjāiņāmttn pllsbuedv kšimk odguē līļaojpevāpuolēgrm ejo cmoeppoulīgcegrabd gssēsurpop"
            "ūtajzdkļipspduošgtešzē zākbensrbutšifisoomaļ oēmrvrēldblācdrašbipēīdecņuezbūigļūicšup ūdīvugņarndāltobln"
        ),
        "āēīšļūņķžģč",
    ),
    "Lithuanian": (
        (
            "s as ptii o ina aipatara n smais k arių liarstkalaikan talauosntimameineniiausatener vnasiie rkoto ivie "
            "romoavme ddikiprteio lvailjaišesdokldaetą reijtungveelur b momgaoruoirktr ek įit fnu gytodsuu nkotakapė "
            "idpileojėstrtyjeiurtadkst čipeį looniųukašmise eba jkugiunkejuepnėemskykgrsaud šspdynoutfajošiogdeživyym"
            "ndlėciumgtipšajioktųtėyrsl uplol ypo oruluboig ždžešygabegdubuštškrsmuackrp somėfoužlyuiėtrmrdgoėlkšvomą"
            "ėjblbūgerbdėulžybeltrėę nųpuysagobrpn edk izibtąmsujtvįrugfilųybchmbldūtūryvlbbjbinygumpd šmėr hš opičub"
        ),
        "šėųįžąčūę",
    ),
    "Catalan": (
        (
            "a s  d edee esl t  aerr  l s p cenelre narnontorlan caalo ratacistitatinco fteonpelei  m iantr ufió rina"
            "ió hlimeunquectiomsi td sedahaadicac oueporoprmaetct risamdilliagu vésxelsutu nspampidemosniegnctxto brs"
            "irimneixmiexottsiossmbx ureispm uslova qobblrr g égimormuailfortodapolsubagesavefesoocplscviabb opbrogeu"
            "aqndcrdotuà ifigascec xitàp autzipiultcuràcluiducczaefnviebiàlrdínulpceppunfumdrçafagrivibvàuplíngeaedmé"
            "gaé tgaiptènavbunyrurghivog rcaçgnubtérnpiebjafuxtiqboàcovucouafnúluuduïxamòy eqjeí rèrvïtagnubjès ú jev"
        ),
        "óàéíèòçúïü",
    ),
    "Albanian": (
        (
            "e ë t i  pshtë t n er  sa ësër iit m krireetarti dhtpën s sinëimjeonurenmendesinisertelile fgj gmiraoran"
            "ntpa aatvema rtaikfikuuarënial vja bhedhstllsekadoprkotu lo hëtrm sëduasdingilelunnuektojënjgumbruempuk "
            "amlogaiaapmurmakueënktrt hbiumutrrkepo zegukjtroirfanaiguldeaqksosl olhasaioavuhmëbudridzihukrlahiizbavi"
            "edepadnemordaju ji qrsh pitjokkiivdëkë ëd blthëmgoejciod jzgpedahk orkablë cqëhfgrvlsuubfousgëhmupy boog"
            "soop wohipyrryezqeojcaj juge umrjozaicwilshodjujevomëtachjluijvaazjyx g brskagplp ieaupjoznsefysrcibfudg"
        ),
        "ëç",
    ),
    "Vietnamese": (
        (
            " tngg  cn i  đ kthchc nh n lkht h  bu  h mp a ôn dtrhôo  ghiy  v s pm tiphinênhoácậpể ượiệgió cáhưiếđưà "
            "hatậ xị  ronảnaniểợccóỗihểầnhuố ếnđịùnvàụcroớiạnsốếtlàcủủaốiã uyộtlỗ qệnểnquraịnạiiêý dùaymộlie lệộ hỉtê"
            "ànmụhátạỉ ọnhọbảệuườệ đãầusaàohậkýư ểuỏ ấtộnkiảiiềghìnự vớữ ơnđầặckếá nàđộhứhầặpbiở ònđặếuđốícviánhàgặhợ"
            "ờiđiợpàihảàyaotưtùùyả đểuntựờnbộềulạhạaiitừ ặtbỏcảưahehịử từbịiahấđađổcầhícoốnợn aổiyể iướhódòreô ấuănrì"
            "húọchữỡ ấyauânậtáib ạodạươxuhìhếrưeoteồníndụuaamề ì iácấhâx óas àmáoụnrịtìẫnâyắttísửoặlođọế úcứcềnợ oạlư"
        ),
        "đôưáàểếạệêộịảậợốóầấớặùụỗíọủìãềờựữýứâúỏởỉơổửòắừồẫăéỡằẩẽõĩũẻẵèỳẹễỹỷẳ",
    ),
    "Greek": (
        (
            "ς α  α ττον η ο  εου π σστνα δι ταση μειείπου ικτηαν κατενή μαε αιαρροιαισριμεραηςδεκανοτιτε γό μέχεοςδι"
            "απερίαένετσεωνπρ ολοεπομτήπαονίν ν έντ χυνορησκοπιαλακοιπε ηασγραςγικόλεμοκεά ρχδοοπούίοαμιοσυημολσμνεην"
            "υπογαφήςεσοσιμμητρχρρεκτυρργί νωύ όνμι υράλλλα όαγπόάλρίών λτάλή θμππλίσφαθε ήδυσινιάνγήνητωελληυσήσμήέγ"
            "αδ βεγωσρέρητόεκυτεςέςόςγκιλμόέτκάλιμμυμκλφάέχκρευύνάσητγοεδγατυοίθαλάκήόμσαιεόταυρόηκσίκέηριτνάθμχονόθη"
            "ιδιρθοδηαθιάφοάροτμίέσέλζεφήσφεμγίοθινάτπά άρήβοεξίτγνήμήτγετίκυνδήκιςπίρωμάοδνέίζτέλέοκλμρμδίωρλίμφόρβά"
        ),
        "αοετινσρμηπκυςλίδγέήόάχωθφύβώξζψϊ",
    ),
    "Russian": (
        (
            "е  пя  сен на нест внии раь нопоово ер ианре отьолатй капрет дронаме кватольв т датаконылилоисодзадеитос"
            "те утртииеимал зво реллевеияоразляесннобот ты м омемрисо фоквыинтс бдоайедогмочеласяарсиыйгопеекавпакиск"
            "длспопци ммах слонирк жеойнтфазо аудизамйложс н ьзииактваяаеу усрувидижир л асилозчиклщешиивиксеьнийоеев"
            "апыхю сьпивлзмачыеадблтнуепуабчазнбо ч элюндейжнегбрючктмиошибрывнбыксутукздочрничацссывмыытткупкуржгрум"
            "днкрвкежход бадукез мясуую лнуицидкцфифобкбуценссачнтуиювуепрмщиющ гшеипажмвртлнзвагеззуяттыйтэт еурврги"
        ),
        "оеаинтрслвкпдмуязьыйбчгжфцхюшщэёъ",
    ),
    "Ukrainian": (
        (
            " пя  ви а  нантио стненаен зу е ннно доввавипоко сканяері оррероатри ктазараниідалом р мй испрвідодаувим"
            "матотрв лоні тівийвопе оосм  б аитмеогарайиказекляголільміь  ф ілааммиє  уцітьмосяінозодонпіобзначвеолх "
            "лиісоклеріілнтпатесиз ї тучеавдлкуиласкиихивді яькнуфак буабдеапопйлеср суча чжеднпиікручиаєемотожтід кі"
            "л утедклю етвнвдт ктинадсьблакбаипндвутнбопуьночьсщо лс муіїседкяксп євкірзвлксіслн соійскдизмчневуєлюлу"
            "кршеряядгаксац цжнелагежвлвсусумдуньізирфіджез щснртнсхімвизєт гбетвоюунбрздімкціягрбішиулупьоценкзоегеп"
        ),
        "аониевтрікслдпумязбьйчгжцєхфшюїщґ",
    ),
    "Bulgarian": (
        (
            "а е  ннане п си о ан иенварапрреданизатотат  з дстатте ока впоно кизотмеетияриитликоавде евен тироедсеод"
            "я овма мазле рви форай тмооб бс съелекирзвимциалв  ааросърадинереслоисакилжефаолйлтрдискиелножятнтсил оп"
            "омонтвдолаикчевовъгрд пандемкт гкиътклслойсабееж уамивичешчадъезпиждепбрспаспъхоапзпзиусочр м янокз ълтн"
            "чизнозаб чогщеявбасвчнпцкскрпе лрткъъдздацъзмилятъдндржафоукк лзрмвршкащидбизоблумрълюгарсбоквгоючйтрвач"
            "ряржняъмфикейнкувяъвшннсиибъдуулечупгуглвницший всзтагеу цъсоящаевипвкъщдвружищийсзхтксо шебувбуннзмцеег"
        ),
        "аениотрсвдпкзлмъябучжгйфцшщхюѐѝ",
    ),
    "Hebrew": (
        (
            "ת ה  ה מית א לם ל  שנין י  בותיםליר ורשל תונמו נ קקורירויוובא  ייי עינאיו  סמיאופולא פיקבישיש תילה ג כב "
            "ולימיהיל רדיך ירבווןודד נתתונהקימקנו חמסג ק הרטיויץ לוגומהסיבלתמע וגנגוואתסמפי דומיש ומתברטופרדו צהמשוסו"
            "קהארמעאלמאגיאנ טמנואכוגרקשרפידבץיאוסיןשמוקצייסיטלמהוופרהתקהתרתח ערס יבט פתמשחבוחנדחירממךרכדריפהירשכתעינט"
            "ושעל זלטצוחוכימרמ רבגלספוםעםהאמלבעפסקבהשלשאמבהלקהצמדחלף חדצבהקאהמחתחבתכנז תןקראפשתלתרטשנזיחרסטראהפקנסהשר"
            "החהסדפנכשגקליצתרוזבנמצ ןלבבח םפעשםדהיחסתאקהדהנלליגלנפההלאחנאבקלפשהשברדוכסרכשוטרגעודליכצרתכמכהגמפההבצצ טה"
        ),
        "יותהלמראנבשקפסדגעטםחכןצזךץף",
    ),
    "Arabic": (
        (
            " االة  مر ي لما يةن  لل ت م  تاتد  فانلا أ ب عليفيف ارما إلفستورلولترييرلأى  ك صيامل ييمللرةع مس سو ميون"
            "راديموبيمةامناح ندب ط نيواين وتيلعاسرولبصو ن جعل ق رتوولغيفاذاسالنتركا حويسي غق باتحدومنداقاسمعرص تالحلى"
            "لإجمابودتععنه ض يل خعملقاف دلسدةحدتنيحس يسلكخطفرائك نتيتقيمتاءء حا ةلخمعلةسلمفاحرضهافتيدبرادهوإذوفاكيكمج"
            "نصكي هوميقلصمهكوايبعلردموسأوعدمححةخاج يووقتخنوكنربمرز  شلدعامكيفكرصفوتطانسخدزيذ عةاصمدتمشالجوبحرخلقربدصر"
            "جلبوجدصيركيزوجغااعلهجائمنةلششيقوهذرسعذرمإلزرفلاخأسأيإنشرألوحأربلسوأ بنددصللطشلرجكسوعسرتقصافشطبسطتصجيرقأن"
        ),
        "اليمرتوةنفدسبعحكقصجأطهخشإغذزضىثئءظؤـآ",
    ),
    "Thai": (
        (
            "ารม่องไม เ่อ้อ ไี่ามกาิด่าทีน เกง มา้มียับข้ แื่แฟฟ้์ ร์รัายขอา ือสาานางตักเ่สม ด้ไดลา้าเปมี้ ราใชอรระอก"
            "ก แพกจรถอมย  กพกาด้งวาหรเลันั้ังด  สเรอยรีหน อชืช้ต้ดขในกร่งอนกิควำหสำงก คัวี ูลบ มูาก่มติ ตต์งแภาปรแลนต"
            "่นผิัดรืูกงเจ ค่่ บร้นกันีนดพลต่็น่วจะ ข มหมบบกต่ไดเริรูวนอัเซดพรอเมกำป็ยนลั ห ซนแินงรุ่นท้วเขักว ู่ตรยก"
            "หลลืรุอผ โ ทใหปลไปคร จ รอายาอ ลินาวยยูวเนเิกรก พาเแบละกลออะเ ชล รเเอนิหา่ใเพำเถูเนจาบัทัลีดตอบณะาตเตพิิม"
            "ขณบแูปล้ปินข ใ่รรราธว่สักทมืาษงไนไช่รณเดอคี้เบะบเวจัส่บเดงงอตา ลงคสดเชแสั่์เแกงขเคอแษาร็โดพบย่อ่าวทำคุ่เ"
        ),
        "ารอ่มกนเ้งดัลีตบิยสแวไขทหคจปพ์ะูืชำใโุถฟซ็ณผภธึษญฐฮศฉๆฝฤฏ๊ฑฬฎ",
    ),
}

#: The most frequent characters of East Asian texts beyond kana.
IDEOGRAPHS: Final[dict[str, str]] = {
    "Chinese": (
        "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方"
        "多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情"
        "明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给"
        "世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太"
        "量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
        "完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔字语符标选置项输列效示录错存"
        "未器值号包误参型模显引除失序支令息配库组户败称索密图省码查签需读持版创您写换键改否亚请操证删复钥服编软须含默找节态单移函"
        "转启档略执状串段块印获检限允超尼属始容卡布径警阿匹准归调消备载源连级退止链按元束装集巴每忽析线端排视罗域页试缺整纳窗注修"
        "州围缓址范返择宽算缩志冲瓦兰验询维闭萨锁具添替素助终扩隔供跳访塔环伊普送压触仅描言构框份联预禁仓塞约丁群搜远盖临菜跟偏收"
        "辑述右句译控坏功缀补左断例奥留距盘钮岛旧哈响颜突储音洛齐继映尾覆恢希弃县姆角待初停古续波境踪根吉埃递托损异栏销贝登增树板"
        "帮套影秒郡府雷绝流尝米插聚议卢翻快首协校"
    ),
    "Chinese (traditional)": (
        "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方"
        "多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情"
        "明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給"
        "世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太"
        "量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且權思王象"
        "完設式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運檔語案字示選標項列元顯輸稱錯效"
        "否誤號存值未組符除置型訊錄鍵視模引單圖亞令預料支啟碼失窗版器敗執按印寫讀包態移換參需狀請串連端編鑰線徑籤庫序尼您含容準證"
        "找援套索略整塊擇裝頁欄影簽刪改屬鈕息服具始修封密警源載排顏轉複縮製巴停古阿配寬里束群每檢忽域查限段素址右併伺止羅範尋增卡"
        "蘭左景片隔圍控份布須離級留遠供備暫快允驗析試衝音島垂譯調瓦盤憶儲繪游維軟捲算功底齊納尾閉憑替搜描註壓缺送追響網章例鎖函境"
        "輯薩附焦消捷覆棄終偏蹤距補述超尺蓋塔尚透哥框闊伊箭突跳覽幕集寸斷助側流言廢匯隱損依翻樹滑吉背細較聯米盒秒夾母環塞根操畫異"
        "若波收額僅舊掛緩觸英普遞螢照映登洛擴詳綴"
    ),
    "Japanese": (
        "日一国人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語"
        "土木聞食車何南万毎白天母火右読友左休父雨会同事自社発者地業方新場員立開手力問代明動京目通言理体田主題意不作用度強公持野以"
        "思家世多正安院心界教文元重近考画海売知道集別物使品計死特私始朝運終台広住無真有口少町料工建空急止送切転研足究楽起着店病質"
        "待試族銀早映親験英医仕去味写字答夜音注帰古歌買悪図週室歩風紙黒花春赤青館屋色走秋夏習駅洋旅服夕借曜飲肉貸堂鳥飯勉冬昼茶弟"
        "牛魚兄犬妹姉漢様第合定性的法内部結関成経対制現最数実当全回面取保表要連政調民約戦化指資機加続相設得次必示効列値変失敗込更"
        "除式在可型存置引了削再能号認鍵証配告報形期番検警接付情照義共換限位複選信含択準参所算索致識標囲署視解記覧返受範追和状演処"
        "張態単利確個際向像求完初予属構幅適拡縮項想非応端常順圧印割整移権容素命他許暗異区進未違境果線令決規側操種詳装秒序点各例類"
        "細互録直既展並呼頭査島復改停環条替件扱否描依末隔述辞訳統領翻与刷破象刻庫挿域符組御量格影超密壊済句戻継優尾釈修両略誤平比"
        "備遅省矢副管提競補拒過探基仮係州景響旧秘閉諸等短較断供延論納築押説承反析固周浮背層余価詰垂損身残功由消登棄増段製隠達避封"
        "筒却低負渡倍編造埋推宣須落監絶逆黙似突繰専併精速抽禁及般離留飾評差疑因害従偽討王退邦抑原添昇桁横"
    ),
    "Korean": (
        "이다는을의가에고하지한은로기도를있사나자어대리인그아시서니해만정들스라일수것전부여장으면보제중게상비우구주원간습동적과선"
        "세조오요입음소공성당안신문유치없했말때생각같모두많되또받내른분든위명국회경학교미방관물실본진화계통연용행무산역단발체력마"
        "식외년월저희드렸렇겠십던터져려까데바거반더금개속영양집날눈길람운앞뒤밖밤새불꽃끝손머얼굴곳땅파합할트션않값름표옵크프함작"
        "패형키버된설업디열메블못출레목호록변료테류령잘번야브환필타렉태현코추복너재읽와항커베러최포르결색었알줄페임래능절확접랜럼"
        "텍백참카칼처퍼검법템건준덱택았증종초밋매티링램쓰예쪽클활배젯찾됨널숫림렬플축권근릴쓸삭올딩룹글닙젝토규범허병청향째볼따순"
        "헤슬압맞언롤턴꾸창별격약잭석콘런폴암남컨완루뉴됩막및케투존쿼후듈심노될피네움립셀돌점붙셸직컬히빠릭캐린웨잠꿀누칙졌냅독픽"
        "꼴며셋닌왼뷰께듭살족빈밀충닫콜취강벗큰감등워란님탭편채달켓묶갈효쇄특차핑응났울높뜀춤윈락퀀긴롯엔슈먼침델벨덮넣싱랑략떤씁"
        "섬짜급혹깁갑객낼꿈덤질련칠벤탈견귀캘술깃논넘납짐푸릿봉첫책량롬애탄탐획꿉폭쿠컴옴갯틀큼북송잡섹힌릅므룰액옛롭엘괄핸론옮핀"
        "겟뀌멈줌온맨륨틴빌럭랍답맵민튜끊율줍큽난멀깅숨탬홈웃썬횟률놓늘골총칸판웁즈빼짧눌황밍징팅풀덴김짝팔혼톡멤맥둘랫쉼쳐칭겨킨"
        "밑럽묵폼휴몇깊겹평왕군팝짓망쉘갱맷박떼균천끄헝몬뜁콤끌킷닥넷뀐써멘펴냄봅닉얻즉걸냐몰큐춥험즘측뛰냈왔킹죽몽칩렌좌덜찬둡낸"
        "떻룬톱탕렀깨흐빨켜"
    ),
}
